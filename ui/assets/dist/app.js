// Everything here is an addition: the pages and their forms work without it.
(() => {
  "use strict";
  // The texts are attributes, in the language of the page.
  const texts = document.body.dataset;
  const each = (selector, work) => document.querySelectorAll(selector).forEach(work);

  // Filters apply when they are changed.
  each("form[data-submit]", (form) => form.addEventListener("change", () => {
    const search = document.getElementById("search");
    if (form.id === "filters" && search) form.elements.q.value = search.value;
    for (const field of form.elements) if (field.name && field.value === "" && field.type !== "checkbox" && field.name !== "namespace") field.disabled = true;
    form.submit();
  }));
  // The page of a one-time link is confirmed by the browser of the user, not by a preview.
  each("form[data-press]", (form) => form.submit());

  // A rejected form shows its errors at the top. Their links do not change the URL: with a fragment,
  // the browser would forget that the page is the answer to a form, and Back would not return to it.
  document.getElementById("errors")?.focus();
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".form-errors a");
    const field = link && document.getElementById(link.hash.slice(1));
    const target = field?.matches("fieldset") ? field.querySelector("input") : field;
    if (!target) return;
    event.preventDefault();
    target.closest("details")?.setAttribute("open", "");
    target.focus();
  });

  // Texts can be copied. Without access to the clipboard, the text is selected instead.
  const announce = document.getElementById("announce");
  document.documentElement.classList.add("script");
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    const text = button?.closest(".copyable").querySelector("pre");
    if (!text) return;
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text);
      return;
    }
    const label = button.querySelector("span");
    label.textContent = announce.textContent = texts.textCopied;
    setTimeout(() => { label.textContent = texts.textCopy; announce.textContent = ""; }, 2000);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") each("details.menu[open]", (menu) => menu.removeAttribute("open"));
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("details.menu")) each("details.menu[open]", (menu) => menu.removeAttribute("open"));
  });

  const stream = document.getElementById("stream");
  const badge = document.getElementById("live");
  if (!stream || !badge || !window.htmx) return;
  let connections = 0, lost = 0, last = new Date(), closed = "";
  const show = (state, text) => { badge.dataset.state = state; badge.textContent = text; };
  const refresh = () => htmx.trigger(document.body, "refresh");
  // The time counts from the end of the connection, not from the last attempt to connect again.
  const notLive = () => {
    if (lost && !closed) return;
    clearTimeout(lost);
    lost = setTimeout(() => {
      show("lost", `${texts.textNotLive} ${last.toLocaleTimeString(document.documentElement.lang)} `);
      const again = document.createElement("button");
      again.className = "plain";
      again.textContent = closed === "displaced" ? texts.textResume : texts.textRefresh;
      again.addEventListener("click", () => closed ? location.reload() : refresh());
      badge.append(again);
    }, closed ? 0 : 10000);
  };
  document.body.addEventListener("htmx:sse:after:connection", (event) => {
    if ((event.detail.connection?.status ?? 200) >= 400) return notLive();
    clearTimeout(lost);
    lost = 0;
    last = new Date();
    show("on", texts.textLive);
    connections++; // The server signals the changes since the page was read.
  });
  stream.addEventListener("closed", (event) => {
    closed = event.detail?.data || "ended";
    if (closed === "ended") location.reload();
  });
  for (const name of ["htmx:sse:error", "htmx:sse:close", "htmx:sse:before:connection"])
    document.body.addEventListener(name, () => { if (badge.dataset.state !== "lost" && (connections || name !== "htmx:sse:before:connection")) notLive(); });

  // A part that the user is using is not replaced: it is read again when it is left.
  let waiting = false;
  const inUse = () => {
    const part = document.getElementById("part");
    const chosen = getSelection();
    return part && (part.querySelector("input:focus, select:focus, textarea:focus")
      || (chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode)));
  };
  document.body.addEventListener("htmx:before:request", (event) => {
    if (event.target.id === "part" && inUse()) { event.preventDefault(); waiting = true; }
  });
  for (const name of ["focusout", "selectionchange"])
    document.addEventListener(name, () => { if (waiting && !inUse()) { waiting = false; setTimeout(refresh, 100); } });

  // The state of the object on the page is announced when it changes, at most once in 5 seconds.
  const stateOf = () => document.querySelector("#part > .badges .badge")?.textContent;
  let state = stateOf(), said = 0;
  document.body.addEventListener("htmx:after:swap", () => {
    last = new Date();
    const now = stateOf();
    if (now && now !== state && Date.now() - said > 5000) { announce.textContent = now; said = Date.now(); }
    state = now;
  });
})();
