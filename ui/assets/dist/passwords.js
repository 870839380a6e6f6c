// Passwords can be shown and generated. They are hidden again before the form is sent.
(() => {
  "use strict";
  const characters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
  const fieldOf = (button) => document.getElementById(button.getAttribute("aria-controls"));
  const show = (button, isShown) => {
    fieldOf(button).type = isShown ? "text" : "password";
    button.setAttribute("aria-pressed", isShown);
  };
  // Bytes above a multiple of the number of characters are skipped, so that each character is equally likely.
  const generate = (length) => {
    let text = "";
    while (text.length < length) {
      const [byte] = crypto.getRandomValues(new Uint8Array(1));
      if (byte < 4 * characters.length) text += characters[byte % characters.length];
    }
    return text;
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-show], [data-generate]");
    if (!button) return;
    const field = fieldOf(button), toggle = field.parentElement.querySelector("[data-show]");
    if (button === toggle) return show(toggle, toggle.getAttribute("aria-pressed") !== "true");
    field.value = generate(Math.min(Math.max(24, field.dataset.min ?? 0), field.dataset.max ?? 1000));
    show(toggle, true);
    for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, { bubbles: true }));
  });
  document.addEventListener("submit", (event) => event.target.querySelectorAll("[data-show]").forEach((button) => show(button, false)));
})();
