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

  // An element whose content takes longer than 200 ms is marked.
  const marks = new Map();
  document.body.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.target instanceof Element) marks.set(ctx, setTimeout(() => ctx.target.setAttribute("aria-busy", "true"), 200));
  });
  document.body.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = event.detail;
    clearTimeout(marks.get(ctx));
    if (marks.delete(ctx)) ctx.target.removeAttribute("aria-busy");
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
      again.addEventListener("click", () => { isShown = true; closed ? location.reload() : refresh(); });
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

  // The rows that a user reads do not move: new rows and another order wait until the user shows them.
  const listRows = "table.rows > tbody > tr[id], ul.cards > li[id]";
  let isShown = false;
  const holdRows = (read, present) => {
    const found = [...read.querySelectorAll(listRows)];
    const byID = new Map(found.map((row) => [row.id, row]));
    const kept = present.filter((id) => byID.has(id));
    if (!kept.length) return 0;
    const ordered = found.filter((row) => kept.includes(row.id));
    const count = found.length - kept.length + ordered.filter((row, i) => row.id !== kept[i]).length;
    const list = found[0].parentElement;
    for (const row of found) if (!kept.includes(row.id)) row.remove();
    for (const id of kept) list.append(byID.get(id));
    return count;
  };
  document.body.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const part = document.getElementById("part");
    if (ctx.sourceElement !== part || ctx.response.status !== 200) return;
    const accepts = isShown;
    isShown = false;
    if (accepts) return;
    const read = new DOMParser().parseFromString(ctx.text, "text/html");
    const count = holdRows(read, [...part.querySelectorAll(listRows)].map((row) => row.id));
    if (!count) return;
    const notice = read.createElement("p");
    notice.className = "waiting-rows small";
    notice.textContent = `${texts.textChanges} ${count} · `;
    const button = read.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.id = "show-rows";
    button.textContent = texts.textShow;
    notice.append(button);
    read.getElementById("part").prepend(notice);
    ctx.text = read.body.innerHTML;
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("#show-rows")) { isShown = true; refresh(); }
  });

  // The state of the object on the page is announced when it changes, at most once in 5 seconds. A change within
  // that time is announced at its end.
  const stateOf = () => document.querySelector("#part > .badges .badge")?.textContent.trim();
  let announced = stateOf(), said = 0, later = 0;
  const announceState = () => {
    later = 0;
    const state = stateOf(), wait = said + 5000 - Date.now();
    if (!state || state === announced) return;
    if (wait > 0) { later = setTimeout(announceState, wait); return; }
    announce.textContent = announced = state;
    said = Date.now();
  };
  document.body.addEventListener("htmx:after:swap", () => {
    last = new Date();
    if (!later) announceState();
  });
})();
