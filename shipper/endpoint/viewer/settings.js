// What a reader prefers, kept by the browser: theme, clock, side panel.

const THEMES = ["auto", "light", "dark"];
const THEME_SIGNS = { auto: "◐", light: "☀", dark: "☾" };

function load(name, fallback) {
  try {
    return localStorage.getItem(`shipper.${name}`) ?? fallback;
  } catch {
    return fallback;
  }
}

export function save(name, value) {
  try {
    localStorage.setItem(`shipper.${name}`, value);
  } catch {
    // Storage may be switched off: the choice then lasts as long as the page.
  }
}

export class Settings {
  constructor() {
    const theme = load("theme", "auto");
    this.theme = THEMES.includes(theme) ? theme : "auto";
    this.utc = load("utc", "0") === "1";
    const wide = matchMedia("(min-width: 1081px)").matches;
    this.side = wide && load("side", "1") === "1";
  }

  nextTheme(button) {
    this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
    save("theme", this.theme);
    this.showTheme(button);
  }

  showTheme(button) {
    if (this.theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
    button.textContent = THEME_SIGNS[this.theme];
    const text = this.theme === "auto" ? "as the system" : this.theme;
    button.setAttribute("aria-label", `Theme: ${text}`);
    button.title = `Theme: ${text} (t)`;
  }

  toggleUtc() {
    this.utc = !this.utc;
    save("utc", this.utc ? "1" : "0");
  }

  toggleSide() {
    this.side = !this.side;
    save("side", this.side ? "1" : "0");
  }
}
