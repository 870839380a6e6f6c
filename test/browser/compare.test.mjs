// Comparing two versions of an app.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAccessibility, checkWidth, launch, newPage, open, paths, picture, signedIn, variants } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

for (const variant of variants) {
  test(`two versions are compared, ${variant.suffix}`, async (t) => {
    const context = await signedIn(browser, variant.options);
    t.after(() => context.close());
    const page = await newPage(context);
    await open(page, paths["app-versions"]);
    await page.locator("#from").selectOption("1.0.0");
    await page.locator("#to").selectOption("1.2.0");
    await page.locator("form.compare button").click();
    await page.waitForURL(/from=1\.0\.0&to=1\.2\.0/);
    const main = page.locator("main");
    const headings = variant.words.lang === "en" ? ["What is new in 1.2.0", "Default values", "Schema of the values", "Images", "Objects"] : ["1.2.0 的新内容"];
    for (const heading of headings) await main.getByRole("heading", { name: heading }).waitFor();
    assert.match(await main.getByRole("row", { name: /replicas/ }).innerText(), /\s1\s+2/);
    assert.match(await main.getByRole("row", { name: /registry.example\/wiki:1.0.0/ }).innerText(), /300 MB[\s\S]*412 MB/);
    const object = main.locator("summary", { hasText: "wiki-web" });
    assert.equal(await main.getByText("+   replicas: 2").isVisible(), false, "lines are closed at first");
    await object.focus();
    await page.keyboard.press("Enter");
    assert.equal(await main.getByText("+   replicas: 2").isVisible(), true, "lines are opened with the keyboard");
    assert.doesNotMatch(await main.innerText(), /Q0FOQVJZ|wiki-key/, "Secrets are masked");
    await picture(page, `app-compare-open-${variant.suffix}`, true);
    await checkWidth(page, "a comparison");
    await checkAccessibility(page, "a comparison");
    assert.deepEqual(page.faults, []);
  });
}

test("the form of an upgrade leads to the comparison, without JavaScript", async (t) => {
  const context = await signedIn(browser, { javaScriptEnabled: false });
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, `${paths["instance-old"]}/actions/upgrade`);
  assert.match(await page.locator("main").innerText(), /What is new in 1\.2\.0[\s\S]*Plain text/);
  await page.getByRole("link", { name: "What changes between 1.0.0 and 1.2.0" }).click();
  await page.getByRole("heading", { name: "Default values" }).waitFor();
  assert.match(await page.locator("main").innerText(), /image\.tag/);
});
