// Keyboard shortcuts: keys that are pressed alone, outside of fields. A setting turns them off.
(() => {
  "use strict";
  const help = document.getElementById("shortcuts");
  document.getElementById("show-shortcuts")?.addEventListener("click", () => help?.showModal());
  if (document.documentElement.dataset.shortcuts === "off") return;

  const pages = { a: "/apps", i: "/instances", t: "/tasks", s: "/sources" };
  // The second key of a sequence follows the first one within this time, in milliseconds.
  const sequenceTime = 1500;
  let began = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
    if (event.target.closest?.("input, select, textarea, [contenteditable], dialog")) return;
    const key = event.key.toLowerCase();
    const follows = event.timeStamp - began < sequenceTime;
    began = -Infinity;
    if (follows && pages[key]) {
      event.preventDefault();
      location.assign(pages[key]);
    } else if (key === "g") {
      began = event.timeStamp;
    } else if (key === "/") {
      event.preventDefault();
      document.getElementById("search")?.focus();
    } else if (key === "?") {
      event.preventDefault();
      help?.showModal();
    }
  });
})();
