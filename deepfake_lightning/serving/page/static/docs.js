// The API's description, shown by Swagger UI from this server's own files.

import { call, token } from "./api.js";
import { byId, make } from "./elements.js";
import { sentence } from "./format.js";

async function show() {
  try {
    const spec = await call("GET", "openapi.json");
    globalThis.SwaggerUIBundle({
      spec,
      domNode: byId("api"),
      deepLinking: false,
      tryItOutEnabled: true,
      validatorUrl: null, // it would send the description to another site
      defaultModelsExpandDepth: 0,
      requestInterceptor: (request) => {
        // That of the page in this tab, unless "Authorize" was given one.
        if (token.get()) request.headers.Authorization ??= `Bearer ${token.get()}`;
        return request;
      },
    });
  } catch (problem) {
    byId("trouble").replaceChildren(make("p", {}, sentence(problem.message)), make("p", {}, sentence(problem.next)));
    byId("trouble").hidden = false;
  }
}

show();
