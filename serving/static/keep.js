// What the browser keeps for the next visit: choices of looks and language, never anything of a tenant's data.

const PREFIX = "uretimiq.";

export function kept(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null; // a browser that keeps nothing
  }
}

export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // it lasts as long as the page then
  }
}
