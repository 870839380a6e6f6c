// The editor for values: a text field with line numbers, colors and indentation of YAML. The text field of the form
// remains the source of what is sent, and works without this script.
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

// The colors are the ones of the page, so that they follow its theme.
const colors = HighlightStyle.define([
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--t2)" },
  { tag: [tags.string, tags.special(tags.string), tags.attributeValue], color: "var(--t4)" },
  { tag: [tags.keyword, tags.typeName, tags.labelName, tags.meta], color: "var(--t0)" },
]);

const layout = EditorView.theme({
  "&": { color: "var(--text)", background: "var(--surface)", border: "1px solid var(--control)", borderRadius: "6px", fontSize: ".9286rem" },
  "&.cm-focused": { outline: "2px solid var(--link)", outlineOffset: "2px" },
  ".cm-scroller": { font: "inherit", fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace", lineHeight: "1.5", maxHeight: "60vh" },
  ".cm-content, .cm-gutter": { minHeight: "15rem" },
  ".cm-content": { caretColor: "var(--text)", padding: "6px 0" },
  ".cm-gutters": { color: "var(--muted)", background: "var(--sunken)", borderRight: "1px solid var(--line)", borderRadius: "6px 0 0 6px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine": { backgroundColor: "var(--bg)" },
  "&.cm-focused .cm-matchingBracket": { background: "var(--busy-bg)", outline: "1px solid var(--busy)" },
});

/** The state and the description of a field. An element of a shadow tree cannot refer to the ones that describe it. */
const stateOf = (field) => ({
  "aria-invalid": field.getAttribute("aria-invalid") ?? "false",
  "aria-description": (field.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ").replace(/\s+/g, " ").trim(),
});

/** Shows an editor for a text field, which is hidden and keeps the text of the editor. */
export const edit = (field, label) => {
  const host = document.createElement("div");
  host.className = "editor";
  field.before(host);
  // Style sheets of a shadow tree need no exception from the content security policy.
  const root = host.attachShadow({ mode: "open" });
  const state = new Compartment();
  let hasChanged = false;
  const send = (name) => field.dispatchEvent(new Event(name, { bubbles: true }));
  const view = new EditorView({
    doc: field.value, parent: root, root,
    extensions: [
      lineNumbers(), history(), highlightActiveLine(), indentOnInput(), bracketMatching(), EditorView.lineWrapping,
      indentUnit.of("  "), EditorState.tabSize.of(2), yaml(), syntaxHighlighting(colors), layout,
      // The key Tab moves the focus, as in the other fields of a form.
      keymap.of([...defaultKeymap, ...historyKeymap]),
      EditorView.contentAttributes.of({ "aria-label": label, "spellcheck": "false", "autocapitalize": "off" }),
      state.of(EditorView.contentAttributes.of(stateOf(field))),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        const text = update.state.doc.toString();
        if (text === field.value) return; // The field was changed by another script.
        field.value = text;
        hasChanged = true;
        send("input");
      }),
      EditorView.domEventHandlers({ blur: () => { if (hasChanged) { hasChanged = false; send("change"); } } }),
    ],
  });
  const show = () => {
    const text = view.state.doc.toString(), wanted = field.value.replaceAll("\r\n", "\n");
    if (text !== wanted) view.dispatch({ changes: { from: 0, to: text.length, insert: wanted } });
  };
  field.addEventListener("input", show);
  field.form?.addEventListener("reset", () => setTimeout(show));
  // A browser restores fields when the user returns to the page.
  addEventListener("pageshow", show);
  new MutationObserver(() => view.dispatch({ effects: state.reconfigure(EditorView.contentAttributes.of(stateOf(field))) }))
    .observe(field, { attributeFilter: ["aria-invalid", "aria-describedby"] });
  field.addEventListener("focus", () => view.focus());
  field.classList.add("behind-editor");
  field.setAttribute("aria-hidden", "true");
  field.tabIndex = -1;
  return view;
};
