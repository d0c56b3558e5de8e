import { init } from "./redoc.js";

init(
  "schema/openapi.json",
  { disableTelemetry: true },
  document.getElementById("redoc"),
);
