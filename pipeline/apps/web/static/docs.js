// The HTTP API in Swagger UI, with what that lacks: labels of fields, and the browser's colour scheme.

const root = document.querySelector("#api");
const dark = matchMedia("(prefers-color-scheme: dark)");

function colour() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

function nameFields() {
  for (const row of root.querySelectorAll("tr[data-param-name], tr.parameters")) {
    const name = row.dataset.paramName ?? row.querySelector(".parameter__name").firstChild.textContent;
    for (const field of row.querySelectorAll("input, select, textarea")) if (!field.closest("label")) field.ariaLabel = name;
  }
  for (const body of root.querySelectorAll(".body-param__text")) body.ariaLabel = "JSON request body";
  for (const image of root.querySelectorAll("img:not([alt])")) image.alt = "Image in the response";
  for (const box of root.querySelectorAll("pre, .markdown code")) box.tabIndex = 0; // scrollable by keyboard
}

// an empty field means no value
function withoutEmpty(request) {
  if (request.body instanceof FormData) {
    for (const [name, value] of [...request.body]) if (value === "") request.body.delete(name);
  }
  return request;
}

async function show() {
  const described = await (await fetch("/openapi.json")).text();
  SwaggerUIBundle({
    domNode: root,
    spec: JSON.parse(described.replaceAll(root.dataset.origin, location.origin)), // of the examples
    defaultModelsExpandDepth: -1,
    syntaxHighlight: { theme: "obsidian" },
    requestInterceptor: withoutEmpty,
    validatorUrl: null,
  });
}

dark.addEventListener("change", colour);
colour();
new MutationObserver(nameFields).observe(root, { childList: true, subtree: true });
show();
