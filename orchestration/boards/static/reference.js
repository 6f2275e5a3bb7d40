// The script of the reference: what a search leaves of tables and columns, and the table that an address names.
"use strict";
(() => {
  const search = document.getElementById("search");
  const tables = [...document.querySelectorAll(".mart")].map((section) => ({
    section,
    details: section.querySelector("details"),
    told: section.querySelector(".told").textContent.toLowerCase(),
    rows: [...section.querySelectorAll("tbody tr")].map((row) => ({ row, text: row.textContent.toLowerCase() })),
    entry: document.querySelector(`li[data-table="${CSS.escape(section.id)}"]`),
  }));
  const groups = [...document.querySelectorAll(".group, .group-index")];

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter((word) => word);
    let [foundTables, foundColumns] = [0, 0];
    for (const { section, details, told, rows, entry } of tables) {
      const isHit = ({ text }) => words.some((word) => text.includes(word)) && words.every((word) => text.includes(word) || told.includes(word));
      const hits = rows.filter(isHit);
      const isFound = hits.length > 0 || words.every((word) => told.includes(word));
      // where the words are of the table alone, all of its columns are of interest
      const left = new Set(hits.length ? hits : rows);
      for (const found of rows) found.row.hidden = !left.has(found);
      section.hidden = entry.hidden = !isFound;
      details.open = hits.length > 0;
      if (isFound) { foundTables += 1; foundColumns += left.size; }
    }
    for (const group of groups) group.hidden = !group.querySelector(".mart:not([hidden]), li:not([hidden])");
    document.getElementById("found-tables").textContent = foundTables;
    document.getElementById("found-columns").textContent = foundColumns;
    document.getElementById("nothing-found").hidden = foundTables > 0;
    document.querySelector(".keys").hidden = words.length > 0;
  }
  function open() {
    const wanted = tables.find(({ section }) => section.id === decodeURIComponent(location.hash.slice(1)));
    if (!wanted) return;
    if (wanted.section.hidden) { search.value = ""; show(); }
    wanted.details.open = true;
    wanted.section.scrollIntoView();
  }
  search.addEventListener("input", show);
  addEventListener("hashchange", open);
  open();
})();
