// The settings and the keyboard shortcuts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAccessibility, checkWidth, launch, newPage, open, picture, signedIn, variants } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** Saves the settings with some of their fields changed. */
async function save(page, change) {
  await open(page, "/settings");
  await change(page);
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/\/settings\?saved=1/);
}

const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test("a theme counts more than the color scheme of the system", async () => {
  const [light, dark] = ["rgb(247, 248, 250)", "rgb(15, 19, 24)"];
  for (const { colorScheme, theme, want } of [
    { colorScheme: "light", theme: "Dark", want: dark }, { colorScheme: "dark", theme: "Light", want: light },
    { colorScheme: "dark", theme: "As in the system", want: dark }, { colorScheme: "light", theme: "As in the system", want: light },
  ]) {
    const context = await signedIn(browser, { colorScheme });
    const page = await newPage(context);
    await save(page, (form) => form.getByLabel(theme, { exact: true }).check());
    assert.equal(await background(page), want, `${theme} with a ${colorScheme} system`);
    await open(page, "/apps");
    assert.equal(await background(page), want);
    await checkAccessibility(page, theme);
    await picture(page, `theme-${theme.replaceAll(" ", "-").toLowerCase()}-${colorScheme}`);
    assert.deepEqual(page.faults, []);
    await context.close();
  }
});

test("rows of compact lists are 8 px lower", async () => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  const heights = async (path) => {
    await open(page, path);
    return page.locator("tbody tr").evaluateAll((rows) => rows.map((row) => Math.round(row.getBoundingClientRect().height)));
  };
  const lists = ["/instances", "/tasks", "/sources"];
  const before = [];
  for (const path of lists) before.push(await heights(path));
  await save(page, (form) => form.getByLabel("Compact").check());
  for (const [i, path] of lists.entries()) assert.deepEqual(await heights(path), before[i].map((height) => height - 8), path);
  await open(page, "/instances");
  await checkAccessibility(page, "compact");
  await picture(page, "installed-compact");
  await context.close();
});

test("the settings work without JavaScript, and an error keeps the entries", async () => {
  const context = await signedIn(browser, { javaScriptEnabled: false });
  const page = await newPage(context);
  await open(page, "/settings");
  await page.getByLabel("Dark").check();
  await page.getByLabel("Default namespace").fill("Not a name");
  await page.getByRole("button", { name: "Save" }).click();
  assert.match(await page.getByRole("alert").innerText(), /Default namespace/);
  assert.equal(await page.getByLabel("Dark").isChecked(), true);
  await page.getByLabel("Default namespace").fill("");
  await page.getByRole("button", { name: "Save" }).click();
  assert.match(await page.getByRole("status").first().innerText(), /saved/);
  await page.locator("details.menu summary").click();
  assert.equal(await page.getByRole("link", { name: "Settings" }).isVisible(), true);
  assert.equal(await page.getByRole("button", { name: "Keyboard shortcuts" }).isVisible(), false);
  await context.close();
});

test("the language of the settings counts more than the language of the browser", async () => {
  const context = await signedIn(browser, { locale: "en-US" });
  const page = await newPage(context);
  await open(page, "/settings");
  await page.getByLabel("中文").check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/saved=1/);
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  assert.equal(await page.locator("h1").innerText(), "设置");
  await checkAccessibility(page, "settings in Chinese");
  await picture(page, "settings-zh");
  await context.close();
});

test("keys are shortcuts outside of fields", async () => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  for (const [key, path] of [["i", "/instances"], ["t", "/tasks"], ["s", "/sources"], ["a", "/apps"]]) {
    await page.keyboard.press("g");
    await open(page, "/about");
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.waitForURL((url) => url.pathname === path);
  }
  await open(page, "/about");
  for (const keys of [["t"], ["g", "x", "t"], ["Control+g", "t"], ["g", "Alt+t"]]) {
    for (const key of keys) await page.keyboard.press(key);
  }
  await page.keyboard.press("g");
  await page.waitForTimeout(1700);
  await page.keyboard.press("t");
  await page.waitForTimeout(200);
  assert.equal(new URL(page.url()).pathname, "/about", "one key, another key between, a modifier, or too late");
  await page.keyboard.press("/");
  await page.keyboard.type("gt?/");
  assert.equal(await page.locator("#search").inputValue(), "gt?/", "a field gets its keys");
  assert.equal(await page.locator("#shortcuts").isVisible(), false);
  await context.close();
});

test("the help of the shortcuts is a dialog", async () => {
  for (const variant of variants) {
    const context = await signedIn(browser, variant.options);
    const page = await newPage(context);
    await open(page, "/tasks");
    await page.keyboard.press("?");
    const help = page.locator("dialog#shortcuts");
    assert.equal(await help.isVisible(), true);
    await checkAccessibility(page, "shortcuts");
    await checkWidth(page, "shortcuts");
    await picture(page, `shortcuts-${variant.suffix}`);
    await page.keyboard.press("g");
    await page.keyboard.press("a");
    assert.equal(await help.isVisible(), true, "keys do not leave an open dialog");
    await page.keyboard.press("Escape");
    assert.equal(await help.isVisible(), false);
    await page.locator("details.menu summary").click();
    await page.locator("#show-shortcuts").click();
    await help.locator("form button").click();
    assert.equal(await help.isVisible(), false);
    assert.deepEqual(page.faults, []);
    await context.close();
  }
});

test("shortcuts can be turned off", async () => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  await save(page, (form) => form.getByLabel("Single keys are shortcuts").uncheck());
  await open(page, "/about");
  for (const key of ["g", "t", "?", "/"]) await page.keyboard.press(key);
  await page.waitForTimeout(200);
  assert.equal(new URL(page.url()).pathname, "/about");
  assert.notEqual(await page.evaluate(() => document.activeElement.id), "search");
  assert.equal(await page.locator("#shortcuts").isVisible(), false);
  await page.locator("details.menu summary").click();
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  assert.match(await page.getByRole("dialog").innerText(), /turned off/);
  await context.close();
});
