// Small things that pages do: copying, tabs, asking before what cannot be undone.
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = document.getElementById(copy.dataset.copy).textContent;
    await navigator.clipboard.writeText(text);
    const before = copy.textContent;
    copy.textContent = copy.dataset.copied;
    setTimeout(() => { copy.textContent = before; }, 1500);
  }
  const tab = event.target.closest("[role=tab]");
  if (tab) {
    for (const other of tab.parentElement.querySelectorAll("[role=tab]")) {
      const isChosen = other === tab;
      other.setAttribute("aria-selected", String(isChosen));
      document.getElementById(other.getAttribute("aria-controls")).hidden = !isChosen;
    }
  }
});
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});
