// The terminal of a container: what a user types and sees, with the keyboard and with a screen reader.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAccessibility, checkWidth, control, eventually, launch, newPage, open, paths, picture, signedIn, variants } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const path = paths["instance-terminal"];
const stateOf = (page) => page.locator("#terminal-state").innerText();
const screenOf = (page) => page.locator("#terminal .xterm-rows").innerText();
const shows = (page, text, timeout = 5000) => eventually(async () => (await screenOf(page)).includes(text), timeout);

async function openTerminal(t, options, cookies) {
  const context = await signedIn(browser, options, cookies);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, path);
  assert.ok(await eventually(async () => ["Connected", "已连接"].includes(await stateOf(page))), await stateOf(page));
  assert.ok(await shows(page, "$"), "the prompt");
  return page;
}

test("what is typed is echoed, also after two confirmations of the session", async (t) => {
  const page = await openTerminal(t);
  await page.keyboard.type("hello\n");
  assert.ok(await shows(page, "you said hello"), await screenOf(page));
  assert.deepEqual(await Promise.all(["end", "again", "close"].map((name) => page.locator(`#terminal-${name}`).isVisible())), [false, false, true]);
  await page.keyboard.insertText("笔记 ünïcode");
  await page.keyboard.press("Enter");
  assert.ok(await shows(page, "you said 笔记 ünïcode"), await screenOf(page));
  await page.waitForTimeout(32000);
  assert.equal(await stateOf(page), "Connected", "the page confirms each 15 s that the user is signed in");
  await page.keyboard.type("still here\n");
  assert.ok(await shows(page, "you said still here"));
  assert.deepEqual(page.faults, [], "no violation of the content security policy");
});

test("markup in the output is text", async (t) => {
  const page = await openTerminal(t);
  await page.keyboard.insertText("<img src=x onerror=alert(1)>");
  await page.keyboard.press("Enter");
  assert.ok(await shows(page, "you said <img"));
  assert.equal(await page.locator("#terminal img").count(), 0);
  assert.deepEqual(page.faults, []);
});

test("the program is told the size of the window", async (t) => {
  const page = await openTerminal(t);
  const size = async () => {
    await page.keyboard.type("size\n");
    await page.waitForTimeout(300);
    return (await screenOf(page)).match(/size is (\d+)x(\d+)(?![\s\S]*size is)/)?.slice(1).map(Number);
  };
  const wide = await eventually(size);
  await page.setViewportSize({ width: 700, height: 900 });
  await page.waitForTimeout(500);
  const narrow = await eventually(size);
  assert.ok(wide[0] > 100 && narrow[0] < 100 && narrow[0] > 40, `${wide} ${narrow}`);
});

test("much output arrives completely", async (t) => {
  const page = await openTerminal(t);
  await page.keyboard.type("flood\n");
  assert.ok(await shows(page, "flooded", 60000), "6 MB");
  assert.deepEqual(page.faults, []);
});

for (const variant of variants) {
  test(`the terminal is accessible, ${variant.suffix}`, async (t) => {
    const page = await openTerminal(t, variant.options);
    await page.keyboard.type("hello\n");
    assert.ok(await shows(page, "you said hello"));
    await checkAccessibility(page, "an open terminal");
    await checkWidth(page, "an open terminal");
    await picture(page, `terminal-${variant.suffix}`);
    await page.locator("#terminal-reader").check();
    assert.ok(await eventually(async () => (await page.locator("#terminal [role=list], #terminal .xterm-accessibility").count()) > 0), "the output is in the accessibility tree");
    await checkAccessibility(page, "screen reader mode");
    await page.keyboard.press("Tab");
    await page.locator("#terminal-close").click();
    assert.match(await page.locator("#terminal-end").innerText(), variant.words.lang === "en" ? /You have disconnected/ : /[一-鿿]/);
    assert.equal(await page.locator("#terminal-close").isVisible(), false);
    await checkAccessibility(page, "a closed terminal");
    await picture(page, `terminal-closed-${variant.suffix}`);
    assert.deepEqual(page.faults, []);
  });
}

test("Ctrl+F6 leaves the terminal, and the page says so before it", async (t) => {
  const page = await openTerminal(t);
  const inside = () => page.evaluate(() => document.getElementById("terminal").contains(document.activeElement));
  assert.ok(await inside(), "the terminal has the focus");
  await page.keyboard.press("Tab");
  assert.ok(await inside(), "Tab belongs to the program");
  await page.keyboard.press("Control+F6");
  assert.equal(await page.evaluate(() => document.activeElement.id), "terminal-close");
  const above = await page.evaluate(() => document.querySelector(".terminal-bar kbd").compareDocumentPosition(document.getElementById("terminal")) & Node.DOCUMENT_POSITION_FOLLOWING);
  assert.ok(above, "written before the terminal");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "terminal-again", "the focus goes on");
  await page.keyboard.press("Enter");
  assert.ok(await eventually(async () => (await stateOf(page)) === "Connected"), "connected again");
  assert.ok(await shows(page, "$"));
});

test("the end of the container and of the connection is explained", async (t) => {
  const page = await openTerminal(t);
  await control("kill");
  const end = page.locator("#terminal-end");
  assert.ok(await eventually(() => end.isVisible()));
  assert.match(await end.innerText(), /ended with exit code 137/);
  assert.equal(await stateOf(page), "Not connected");
  assert.equal(await page.evaluate(() => document.activeElement.id), "terminal-end", "a screen reader reads it");
  await page.getByRole("button", { name: "Connect again" }).click();
  assert.ok(await eventually(async () => (await stateOf(page)) === "Connected"));
  await page.keyboard.type("exit\n");
  assert.ok(await eventually(async () => /exit code 3/.test(await end.innerText())));
  await page.getByLabel("Container", { exact: true }).selectOption("bare");
  await page.waitForURL(/container=bare/);
  assert.ok(await eventually(async () => /has no shell/.test(await end.innerText())));
  assert.match(await end.locator(".copyable pre").innerText(), /^kubectl debug -it .*--target=bare -- sh$/);
  await picture(page, "terminal-no-shell");
  assert.deepEqual(page.faults, []);
});

test("an update of the page keeps the terminal", async (t) => {
  const page = await openTerminal(t);
  await page.keyboard.type("before\n");
  assert.ok(await shows(page, "you said before"));
  await control("message", { text: "changed while a terminal is open" });
  await page.waitForTimeout(2500);
  assert.ok(await shows(page, "you said before"));
  assert.equal(await stateOf(page), "Connected");
});

test("signing out in another tab ends the terminal", async (t) => {
  const page = await openTerminal(t);
  const tab = await newPage(page.context());
  await open(tab, "/about");
  await tab.locator("details.menu summary").click();
  await tab.getByRole("button", { name: "Sign out" }).click();
  const end = page.locator("#terminal-end");
  assert.ok(await eventually(async () => /Your sign-in has ended/.test(await end.innerText())), await end.innerText());
});

test("without JavaScript the page has the command", async (t) => {
  const context = await signedIn(browser, { javaScriptEnabled: false });
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, path);
  const text = await page.locator("main").innerText();
  assert.match(text, /The terminal needs JavaScript/);
  assert.match(text, /kubectl exec -it -n \S+ wiki-7c9d5-abcde -c proxy -- sh/);
});

test("only the page of the terminal loads it, within 95 kB", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  const sizes = new Map();
  page.on("response", async (response) => {
    if (/xterm|addon-fit|terminal\.(js|css)/.test(response.url())) sizes.set(response.url(), (await response.request().sizes()).responseBodySize);
  });
  await open(page, `${paths.instance}/logs`);
  assert.equal(sizes.size, 0);
  await open(page, path);
  await page.waitForTimeout(1000);
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  t.diagnostic(`${sizes.size} files, ${total} bytes`);
  assert.equal(sizes.size, 5);
  assert.ok(total < 95000, `${total} bytes`);
});
