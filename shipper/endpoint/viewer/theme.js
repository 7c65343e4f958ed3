// Sets the chosen theme before the first paint; a module would run too late and flash.
(() => {
  try {
    const theme = localStorage.getItem("shipper.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be switched off; the system's preference stands.
  }
})();
