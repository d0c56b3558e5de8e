"""What the jobs do: a chore each, in a module under the job's name."""
