// Rows that come by themselves: none while nobody looks, and the way to sign in where the session has ended.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  const answered = new URL(xhr.responseURL, location.href).pathname;
  if (answered === new URL(pathInfo.requestPath, location.href).pathname) return;
  event.preventDefault();
  location.reload();
});
