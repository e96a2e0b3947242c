// The API's description, shown by Swagger UI from this server's own files.

import { call, token } from "./api.js";
import { byId, make } from "./elements.js";
import { sentence } from "./format.js";

async function show() {
  byId("trouble").hidden = true;
  try {
    const spec = await call("GET", "openapi.json");
    byId("token").hidden = true;
    globalThis.SwaggerUIBundle({
      spec,
      domNode: byId("api"),
      deepLinking: false,
      tryItOutEnabled: true,
      validatorUrl: null, // it would send the description to another site
      defaultModelsExpandDepth: 0,
      requestInterceptor: (request) => {
        if (token.get()) request.headers.Authorization = `Bearer ${token.get()}`;
        return request;
      },
    });
  } catch (problem) {
    if (problem.status === 401) {
      byId("token").hidden = false;
      byId("token-field").focus();
      return;
    }
    byId("trouble").replaceChildren(make("p", {}, sentence(problem.message)), make("p", {}, sentence(problem.next)));
    byId("trouble").hidden = false;
  }
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(byId("token-field").value.trim());
  byId("token-field").value = "";
  show();
});
show();
