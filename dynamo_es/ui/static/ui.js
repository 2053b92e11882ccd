// Every page works without this file. It adds: "/" goes to the search box, Escape leaves it,
// and the slider of "As it was" shows its value while it moves.
"use strict";

addEventListener("keydown", (event) => {
  const search = document.getElementById("search");
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape" && event.target === search) {
    search.blur();
  }
});

addEventListener("input", (event) => {
  const output = event.target.dataset?.shows && document.getElementById(event.target.dataset.shows);
  if (!output) return;
  const value = Number(event.target.value);
  output.textContent =
    event.target.dataset.kind === "time"
      ? new Date(value * 1000).toISOString().slice(0, 19).replace("T", " ")
      : value.toLocaleString("en");
});
