// Small things that pages do: copying, tabs, the menu of a phone, asking before what cannot be undone.
document.addEventListener("click", async (event) => {
  const menu = event.target.closest("[data-menu]");
  if (menu) menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") === "false"));
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const source = document.getElementById(copy.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch { // not by HTTPS, or not allowed: it is marked, for the keyboard to copy
      getSelection().selectAllChildren(source);
      return;
    }
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
