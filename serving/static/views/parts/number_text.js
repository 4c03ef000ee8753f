// Numbers as people type them, in either language.

/**
 * The number of a text, or null. Comma and dot both do for decimals; one alone before exactly three digits stands between
 * thousands where the language writes it so: "1.250" is 1250 in Turkish, 1.25 in English.
 */
export function numberOf(text, language) {
  // "+%10" and "-%10" are Turkish; a sign or "%" in the middle is a slip, not a part of the number
  const typed = text.replace(/[\s\u00a0]/g, "").replace("−", "-").replace(/^\+?(-?)%?(.*?)%?$/, "$1$2");
  const thousands = language === "tr" ? "." : ",";
  const marks = typed.match(/[.,]/g) ?? [];
  const last = marks.at(-1);
  const isGrouped = new RegExp(`^-?\\d{1,3}(\\${last ?? "."}\\d{3})+$`).test(typed) && (marks.length > 1 || last === thousands);
  if (!isGrouped && marks.filter((mark) => mark === last).length > 1) return null;
  const decimal = last && !isGrouped ? last : null;
  const plain = [...typed].map((letter, i) => (letter === decimal && i === typed.lastIndexOf(decimal) ? "." : /[.,]/.test(letter) ? "" : letter)).join("");
  return /^-?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : null;
}
