// The API's document as a page. The token that is typed in stays in this tab.
// Swagger UI is dark by a class of its own: where the reader chose so on other pages, else as the system has it.
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const setTheme = () => {
  root.classList.toggle("dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
};
setTheme();
system.addEventListener("change", setTheme);

const place = document.getElementById("document");
SwaggerUIBundle({
  url: place.dataset.url,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
  syntaxHighlight: { activated: true },
});
