// Tables that sort, and regions that scroll by keyboard.

/**
 * The number at the start of a cell: "≤ 0.98" is 0.98, "8.3 ± 0.2" is 8.3.
 * @param {string} text
 * @returns {number} NaN if there is none.
 */
function numberIn(text) {
  return parseFloat(text.replace(/[≤<,\s]/g, ""));
}

/**
 * Compare two cells, as numbers if they are; a dash always comes last.
 * @param {string} a
 * @param {string} b
 * @param {number} sign 1 for ascending, -1 for descending.
 * @returns {number}
 */
function compareCells(a, b, sign) {
  const dashes = (a === "–" ? 1 : 0) - (b === "–" ? 1 : 0);
  if (dashes) return dashes;
  const difference = numberIn(a) - numberIn(b);
  return sign * (Number.isNaN(difference) ? a.localeCompare(b) : difference);
}

/**
 * Sort the rows of a table by a column, the other way round if it is sorted.
 * @param {HTMLTableElement} table
 * @param {number} column
 */
function sortTable(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const up = heads[column].getAttribute("aria-sort") !== "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
  const text = (row) => row.cells[column].textContent.trim();
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compareCells(text(a), text(b), up ? 1 : -1));
  table.tBodies[0].append(...rows);
}

/**
 * Put a button into each head of a table.
 * @param {HTMLTableElement} table
 */
function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent.trim();
    button.addEventListener("click", () => sortTable(table, column));
    head.replaceChildren(button);
  });
}

/** Let the keyboard reach what scrolls sideways. */
function reachScrolling() {
  const wide =
    "mjx-container[display], .cell_output .output, " +
    ".pst-scrollable-table-container, .bd-article pre";
  document.querySelectorAll(wide).forEach((region) => {
    if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  });
}

if (location.protocol === "file:") {
  document.documentElement.classList.add("from-file");
  // a page that is a file may not read others, for lines around a word
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("table.sortable").forEach(makeSortable);
});
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  reachScrolling();
});
addEventListener("resize", reachScrolling);
