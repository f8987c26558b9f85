/**
 * Keep the text alone, unfold what is folded, give each document a title of the second level, and
 * put a list of these titles behind the first pages.
 */
function prepare() {
  document.body.replaceChildren(document.querySelector("article"));
  document.querySelectorAll(".play").forEach(e => e.remove()); // not on paper
  document.querySelectorAll("details").forEach(e => { e.open = true; });
  document.querySelectorAll("img").forEach(e => { e.loading = "eager"; });
  for (const e of document.querySelectorAll("h3, h4, h5, h6")) {
    const up = document.createElement("h" + (e.tagName[1] - 1));
    up.append(...e.childNodes);
    e.replaceWith(up);
  }
  const list = document.createElement("ol");
  const titles = [...document.querySelectorAll(".toctree-wrapper h2")];
  titles.forEach((title, i) => {
    const link = document.createElement("a");
    link.href = "#" + (title.id = "title-" + i);
    link.textContent = title.firstChild.textContent.trim();
    const item = document.createElement("li");
    item.append(link, document.createElement("b"));
    list.append(item);
  });
  const contents = document.createElement("section");
  contents.className = "contents";
  const head = document.createElement("p");
  head.textContent = "Contents";
  contents.append(head, list);
  titles[0].closest(".toctree-wrapper").before(contents);
}

/**
 * Write the numbers of pages into the list.
 * @param {number[]} pages
 */
function number(pages) {
  document.querySelectorAll(".contents b").forEach(
    (e, i) => { e.textContent = String(pages[i]); });
}
