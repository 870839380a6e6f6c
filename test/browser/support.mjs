// What the browser tests share: the browser, pages that record errors, and axe.
//
// ui/pages/browser_test.go starts the web pages on a real API server and runs these tests with the
// variables SITE (JSON: base, cookies, paths, signIn) and CONTROL (URL of a server that changes objects).
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

if (!process.env.SITE) {
  console.error("run make test-browser: the variable SITE is not set");
  process.exit(2);
}
export const site = JSON.parse(process.env.SITE);
export const paths = site.paths;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.SCREENSHOTS;

/** Each language, size and color scheme in which pages are checked. suffix is the end of the names of pictures. */
export const variants = ["en-US", "zh-CN"].flatMap((locale) => [1280, 390].flatMap((width) => ["light", "dark"].map((colorScheme) => ({
  locale, width, colorScheme, words: wordsOf(locale), suffix: `${colorScheme}-${width}${locale === "zh-CN" ? "-zh" : ""}`,
  options: { locale, colorScheme, viewport: { width, height: 900 } },
}))));

/** The words by which tests find elements in each language. */
function wordsOf(locale) {
  return locale === "zh-CN"
    ? { lang: "zh-CN", check: "检查", checking: "检查中", noProblems: "未发现问题", name: "名称", install: "安装", token: "令牌", signIn: "登录" }
    : { lang: "en", check: "Check", checking: "Checking", noProblems: "No problems found", name: "Name", install: "Install", token: "Token", signIn: "Sign in" };
}

/** The executable of Chromium: CHROMIUM, or the usual places. */
function executable() {
  const found = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((each) => each && existsSync(each));
  if (!found) throw new Error("no Chromium is installed: apt-get install chromium, or set CHROMIUM");
  return found;
}

export async function launch() {
  return chromium.launch({ executablePath: executable(), args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}

/** A signed-in context. The pages of a context record what must not happen, in page.faults. */
export async function signedIn(browser, options = {}, cookies = site.cookies) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, baseURL: site.base, ...options });
  await context.addCookies(cookies.map((cookie) => ({ ...cookie, url: site.base })));
  return context;
}

/** A page that records what must not happen, in page.faults. All of its requests go to one server. */
export async function newPage(context, base = site.base) {
  const page = await context.newPage();
  page.faults = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) page.faults.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => {
    // A picture of the whole page changes the size of the viewport, which ends the transition between two pages.
    if (!/^Transition was (aborted|skipped)/.test(error.message)) page.faults.push(`error: ${error.message}`);
  });
  page.on("dialog", (dialog) => { page.faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base + "/") && !url.startsWith("data:")) page.faults.push(`request to another origin: ${url}`);
  });
  return page;
}

/** Opens a page. A test can exceed the limit of requests of a session, which is for people. */
export async function open(page, path) {
  let response = await page.goto(site.base + path, { waitUntil: "load" });
  for (let i = 0; i < 5 && response.status() === 429; i++) {
    await page.waitForTimeout(1000);
    response = await page.goto(site.base + path, { waitUntil: "load" });
  }
  await page.waitForTimeout(50);
  return response;
}

/** Fails with each violation that axe finds. */
export async function checkAccessibility(page, why) {
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  const found = result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ") + " " + n.failureSummary.split("\n").slice(1).join(" ")).join(" | ")}`);
  assert.deepEqual(found, [], `${why}: axe`);
}

/** Fails if the page is wider than the window. */
export async function checkWidth(page, why) {
  const wide = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("body *")].filter((each) => each.getBoundingClientRect().right > width + 1)
      .slice(0, 5).map((each) => `${each.tagName.toLowerCase()}.${each.className}`);
  });
  assert.deepEqual(wide, [], `${why}: wider than the window`);
}

/** Saves a picture if the variable SCREENSHOTS names a folder. */
export async function picture(page, name, fullPage = false) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage });
}

/** Has the Go test change the cluster or the server. Returns the text of the answer. */
export async function control(action, values = {}) {
  const response = await fetch(`${process.env.CONTROL}/${action}?${new URLSearchParams(values)}`, { method: "POST" });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
}

/** Waits until work returns a value that is not false, and returns it. */
export async function eventually(work, timeout = 5000) {
  const until = Date.now() + timeout;
  for (;;) {
    const value = await work();
    if (value) return value;
    if (Date.now() > until) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
