// The validator's badge would tell a foreign host of every visit.
SwaggerUIBundle({
  url: "schema/openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  validatorUrl: null,
});
