// Runs before the first paint, so that a kept theme or language does not flicker. Everything else is a module.
(() => {
  const kept = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // a browser that keeps nothing
    }
  };
  const theme = kept("uretimiq.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (kept("uretimiq.language") === "en") document.documentElement.lang = "en";
})();
