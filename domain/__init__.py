"""The rules of the wheel: facts, folds, legal moves, money. Pure: values in, values out."""
