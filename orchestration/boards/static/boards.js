// The script of every board: language, colours, filters; charts, figures and tables of the rows that the filters leave.
"use strict";
(() => {
  const PALETTES = {
    light: ["#3b78c2", "#c2570c", "#2e8b57", "#9a4fb0", "#b8860b", "#b03060", "#4f6d7a", "#7a5c3e", "#5b5bd6", "#3d8f8f"],
    dark: ["#6ea8ee", "#f0945a", "#63c48b", "#cf92e2", "#e0b84a", "#ef7fa5", "#9db8c4", "#c9a582", "#a3a3ff", "#7fd1d1"],
  };
  const INK = { light: "#1b1f24", dark: "#e8eaed" };
  const SOFT = { light: "#57606a", dark: "#a7b0ba" };
  const LINE = { light: "#e3e6ea", dark: "#343b44" };
  const MOST_BANDS = 3;
  const ERRORS_ONLY = 1;
  const holder = document.getElementById("data");
  const data = holder ? JSON.parse(holder.textContent) : null;
  const remembered = (name) => { try { return localStorage.getItem(`stickiness-${name}`); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(`stickiness-${name}`, value); } catch { /* a private window */ } };

  const state = { language: "en", theme: "auto", board: {}, tiles: {} };
  const asked = new URLSearchParams(location.search).get("lang") || remembered("language");
  state.language = asked === "zh" || (!asked && (navigator.language || "").startsWith("zh")) ? "zh" : "en";
  const askedTheme = new URLSearchParams(location.search).get("theme") || remembered("theme");
  if (["light", "dark"].includes(askedTheme)) state.theme = askedTheme;

  const strings = JSON.parse(document.getElementById("strings").textContent);
  const say = (name) => strings[name][state.language];
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  };

  // ---- figures ------------------------------------------------------------------------------------------------------
  const locale = () => (state.language === "zh" ? "zh-CN" : "en-GB");
  const digits = (least, most = least) => ({ minimumFractionDigits: least, maximumFractionDigits: most });
  const quarterOf = (day) => `${day.slice(0, 4)} Q${Math.ceil(Number(day.slice(5, 7)) / 3)}`;
  function written(value, format) {
    if (value === null || value === undefined) return "–";
    if (typeof value === "boolean") return say(value ? "yes" : "no");
    if (typeof value === "string") return { month: value.slice(0, 7), quarter: quarterOf(value), figure: value.replaceAll("-", "−") }[format] ?? value;
    const number = (options) => new Intl.NumberFormat(locale(), options).format(value).replace("-", "−");
    if (format === "percent") return number({ style: "percent", ...digits(1) });
    if (format === "integer") return number(digits(0));
    if (format === "score") return number(digits(1));
    if (format === "decimal") return number(digits(3));
    if (format === "money") return number(digits(Math.abs(value) < 1000 ? 2 : 0));
    return number(digits(0, 2));
  }
  const label = (tile, column) => {
    const told = tile.columns[column].label[state.language];
    const isMoney = tile.columns[column].format === "money";
    return isMoney ? `${told}${state.language === "zh" ? "（" : " ("}${data.currency}${state.language === "zh" ? "）" : ")"}` : told;
  };
  const isNumber = (tile, column) => ["number", "whole"].includes(tile.columns[column].kind) || tile.columns[column].format === "figure";

  // ---- rows ---------------------------------------------------------------------------------------------------------
  // a row keeps its codes for the filters and has its labels for people
  const sets = (data ? data.sets : []).map((set) => set.rows.map((cells) => {
    const row = { codes: {}, labels: {} };
    set.columns.forEach((column, place) => {
      const known = set.codes[column];
      row.codes[column] = known ? known[cells[place]][0] : cells[place];
      row.labels[column] = known ? { en: known[cells[place]][1], zh: known[cells[place]][2] } : null;
    });
    return row;
  }));
  const shown = (row, column) => {
    const told = row.labels[column];
    if (!told) return row.codes[column];
    return told[state.language] ?? row.codes[column] ?? say("unknown");
  };
  function rowState(tile, row) {
    const { mature, n } = tile.roles;
    if (mature && row.codes[mature] === false) return "immature";
    if (n && row.codes[n] !== null && row.codes[n] < tile.small) return "small";
    return "ok";
  }
  const has = (tile, column) => column in tile.columns;
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  // a select that may be left open names a group of the select before it: dimension_value names one of dimension
  const parents = new Map();
  for (const filters of data ? [data.filters, ...data.tiles.map((tile) => tile.filters)] : []) filters.forEach((filter, place) => {
    const before = filters[place - 1];
    if (filter.kind === "select" && filter.default === null && before && before.kind === "select") parents.set(filter, before.column);
  });
  const wholeBy = new Set(data ? data.filters.flatMap((filter) => (parents.has(filter) ? [filter.column, parents.get(filter)] : [])) : []);
  const valueOf = (filter, chosen) => (chosen[filter.column] || {}).value ?? filter.default ?? "";
  const isOpenRange = (filter, chosen) => !(chosen[filter.column] || {}).from && !(chosen[filter.column] || {}).to;

  // the rows that filters leave; a tile without the chosen cut shows the whole, and `notes` say so
  function keep(rows, filters, chosen, notes) {
    let left = rows;
    const whole = new Set();
    for (const filter of filters) {
      if (filter.kind === "range") {
        const { from, to } = chosen[filter.column] || {};
        left = left.filter((row) => (!from || row.codes[filter.column] >= from) && (!to || row.codes[filter.column] <= to));
        continue;
      }
      const wanted = valueOf(filter, chosen);
      if (wanted === "" || whole.has(parents.get(filter))) continue;
      const match = (value) => left.filter((row) => String(row.codes[filter.column]) === value);
      let found = match(wanted);
      if (!found.length && filter.default !== null && wanted !== filter.default) {
        found = match(filter.default);
        if (found.length) { whole.add(filter.column); notes.push(say("not_cut")); }
      }
      left = found;
    }
    return left;
  }
  // the rows that have exactly what is chosen
  function exactly(rows, filters, chosen) {
    const selects = filters.filter((filter) => filter.kind === "select" && valueOf(filter, chosen) !== "");
    return rows.filter((row) => selects.every((filter) => String(row.codes[filter.column]) === valueOf(filter, chosen)));
  }
  function isMixed(tile, rows) {
    const { period, value } = tile.roles;
    const figures = rows.filter((row) => row.codes[value] !== null);
    return new Set(figures.map((row) => (period ? row.codes[period] : ""))).size < figures.length;
  }
  function rowsOf(tile) {
    const notes = [];
    const all = sets[tile.set];
    // a filter of the tile stands for the board's of the same column, and for those that depend on it
    const own = new Set(tile.filters.map((filter) => filter.column));
    const others = data.filters.filter((filter) => !own.has(filter.column) && !own.has(parents.get(filter)));
    const board = others.filter((filter) => has(tile, filter.column));
    for (const filter of others) {
      if (has(tile, filter.column)) continue;
      if (filter.kind === "range" && !isOpenRange(filter, state.board)) notes.push(say("not_ranged"));
      if (wholeBy.has(filter.column) && valueOf(filter, state.board) !== (filter.default ?? "")) notes.push(say("not_cut"));
    }
    const ownChosen = state.tiles[tile.id] || {};
    const chosenOf = (filters) => keep(keep(all, board, filters, notes), tile.filters, ownChosen, notes);
    let rows = chosenOf(state.board);
    if (tile.kind === "kpi" && isMixed(tile, rows)) {
      // one figure cannot be that of several groups: it is that of all of them
      const grown = Object.fromEntries(Object.entries(state.board).filter(([column]) => !wholeBy.has(column)));
      rows = chosenOf(grown);
      notes.push(say("whole"));
    }
    const isRanged = [[board, state.board], [tile.filters, ownChosen]]
      .some(([filters, chosen]) => filters.some((filter) => filter.kind === "range" && !isOpenRange(filter, chosen)));
    const isGroup = board.some((filter) => parents.has(filter) && valueOf(filter, state.board) !== "");
    const empty = !all.length ? "no_rows" : isRanged ? "no_period" : isGroup ? "no_group" : "no_match";
    return { rows, notes: [...new Set(notes)], empty };
  }

  // ---- filters ------------------------------------------------------------------------------------------------------
  // what each filter offers depends on those before it
  function options(rowsByTile, filter) {
    const found = new Map();
    for (const { rows } of rowsByTile) for (const row of rows) {
      const code = row.codes[filter.column];
      if (code !== null && !found.has(String(code))) found.set(String(code), { row, order: found.size });
    }
    return [...found.entries()].map(([code, { row, order }]) => ({ code, order, text: row }));
  }
  function drawFilters(place, filters, chosen, tiles, labelOf, prefix) {
    place.replaceChildren();
    const before = [];
    for (const filter of filters) {
      const rowsByTile = tiles.filter((tile) => has(tile, filter.column))
        .map((tile) => ({ tile, rows: exactly(sets[tile.set], before.filter((earlier) => has(tile, earlier.column)), chosen) }));
      before.push(filter);
      if (!rowsByTile.length) continue;
      const { tile } = rowsByTile[0];
      const offered = options(rowsByTile, filter);
      if (!offered.length) continue;
      const text = (option) => written(shown(option.text, filter.column), tile.columns[filter.column].format);
      if (filter.kind === "range") {
        offered.sort((a, b) => compare(a.code, b.code));
        for (const end of ["from", "to"]) {
          const select = element("select", { id: `${prefix}-${filter.column}-${end}` }, element("option", { value: "" }, say("all")));
          for (const option of offered) select.append(element("option", { value: option.code }, text(option)));
          const { [end]: wanted = "", ...rest } = chosen[filter.column] || {};
          select.value = wanted;
          // an end that is no longer on offer would act unseen
          if (select.value !== wanted) { chosen[filter.column] = rest; select.value = ""; }
          select.addEventListener("change", () => {
            chosen[filter.column] = { ...chosen[filter.column], [end]: select.value };
            changed();
          });
          place.append(element("label", {}, `${labelOf(filter.column)} ${say(end)}`, select));
        }
        continue;
      }
      const isFixed = offered.length < 2;
      const select = element("select", { id: `${prefix}-${filter.column}` });
      if (filter.default === null) select.append(element("option", { value: "" }, say("all")));
      for (const option of offered) select.append(element("option", { value: option.code }, text(option)));
      const wanted = valueOf(filter, chosen);
      select.value = wanted;
      if (select.value !== wanted) { delete chosen[filter.column]; select.value = filter.default ?? ""; }
      // a company may not have the value that a board begins with
      if (select.selectedIndex < 0) { select.selectedIndex = 0; chosen[filter.column] = { value: select.value }; }
      select.disabled = isFixed;
      select.addEventListener("change", () => {
        chosen[filter.column] = { value: select.value };
        // what came after depends on it
        const later = filters.slice(filters.indexOf(filter) + 1).filter((other) => other.kind === "select" && other.default === null);
        for (const other of later) delete chosen[other.column];
        changed();
      });
      place.append(element("label", {}, labelOf(filter.column), select));
    }
    return place.childElementCount;
  }
  function changed() {
    const focused = document.activeElement && document.activeElement.id;
    draw().then(() => {
      const status = document.getElementById("status");
      if (status) status.textContent = say("updated").replace("{count}", data.tiles.length);
    });
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  }

  // ---- charts -------------------------------------------------------------------------------------------------------
  const isDark = () => state.theme === "dark" || (state.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  function config() {
    const theme = isDark() ? "dark" : "light";
    const words = { labelColor: INK[theme], titleColor: SOFT[theme], labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
    return {
      font: getComputedStyle(document.body).fontFamily,
      aria: false,
      view: { stroke: null },
      mark: { color: PALETTES[theme][0] },
      range: { category: PALETTES[theme] },
      axis: { ...words, gridColor: LINE[theme], domainColor: SOFT[theme], tickColor: SOFT[theme], labelSeparation: 8, labelLimit: innerWidth < 600 ? 140 : 250 },
      // a title that is longer than its axis is cut on neither side
      axisX: innerWidth < 600 ? { titleAnchor: "end" } : {},
      legend: words,
      rule: { color: INK[theme] },
      text: { color: INK[theme], fontSize: 12 },
    };
  }
  // titles are the labels of columns
  function translated(value, tile) {
    if (typeof value === "string" && value.startsWith("label:")) return label(tile, value.slice(6));
    if (Array.isArray(value)) return value.map((item) => translated(item, tile));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, translated(item, tile)]));
    return value;
  }
  function chartRows(tile, rows) {
    const names = Object.keys(tile.columns);
    const series = tile.roles.series;
    const bands = !series || new Set(rows.map((row) => row.codes[series])).size <= MOST_BANDS;
    const value = tile.roles.value;
    const greatest = value ? Math.max(...rows.map((row) => row.codes[value] ?? 0)) : 0;
    const places = new Map();
    for (const row of rows) if (series && !places.has(row.codes[series])) places.set(row.codes[series], places.size);
    return rows.map((row) => {
      const told = Object.fromEntries(names.map((name) => [name, shown(row, name)]));
      const state = rowState(tile, row);
      if (tile.kind === "heat") {
        const cell = (role) => written(told[tile.roles[role]], tile.columns[tile.roles[role]].format);
        const empty = state === "immature" ? "·" : "";
        const text = tile.columns[value].format === "percent" ? `${Math.round(row.codes[value] * 100)}%` : cell("value");
        Object.assign(told, { _x: cell("x"), _y: cell("y"), _text: row.codes[value] === null ? empty : text });
      }
      return { ...told, _state: state, _order: series ? places.get(row.codes[series]) : 0, _bands: bands, _strong: value ? row.codes[value] > greatest * 0.55 : false };
    });
  }
  // numbers and days in their order; two axes of the same codes in the same order
  function orderHeat(tile, spec, rows, values) {
    const { x, y } = tile.roles;
    const order = (column, texts) => {
      const found = new Map(rows.map((row, place) => [texts[place], row.codes[column]]));
      if (tile.columns[column].kind === "text") return [...found.keys()];
      return [...found.entries()].sort((a, b) => compare(a[1], b[1])).map(([text]) => text);
    };
    let down = order(y, values.map((row) => row._y));
    let across = order(x, values.map((row) => row._x));
    if (tile.columns[x].kind === "text" && down.some((text) => across.includes(text))) {
      down = [...down, ...across.filter((text) => !down.includes(text))];
      across = down.filter((text) => across.includes(text));
      down = down.filter((text) => values.some((row) => row._y === text));
      spec.padding = { left: 5, top: 5, bottom: 5, right: 70 };
    }
    for (const layer of spec.layer) Object.assign(layer.encoding.x, { sort: across }) && Object.assign(layer.encoding.y, { sort: down });
  }
  const drawings = new Map();
  async function drawChart(tile, place, rows) {
    const turn = (drawings.get(tile.id) || 0) + 1;
    drawings.set(tile.id, turn);
    const spec = translated(tile.spec, tile);
    const values = chartRows(tile, rows);
    spec.data = { name: "rows", values };
    // a tick stands where a figure is, and not at some day between
    const days = tile.roles.x && tile.columns[tile.roles.x].kind === "date" ? [...new Set(rows.map((row) => row.codes[tile.roles.x]))].sort() : [];
    if (days.length) for (const layer of spec.layer || [spec]) if (layer.encoding.x && layer.encoding.x.axis) layer.encoding.x.axis.values = days.map((day) => Date.parse(day));
    if (tile.kind === "heat") orderHeat(tile, spec, rows, values);
    spec.autosize = { type: "fit-x", contains: "padding" };
    const columns = innerWidth < 600 ? 2 : 5;
    const series = tile.roles.series ? new Set(rows.map((row) => row.codes[tile.roles.series])).size : 1;
    const legends = JSON.parse(JSON.stringify(spec), (key, value) => {
      if (key !== "legend" || !value) return value;
      return series > 1 ? { ...value, columns } : null;
    });
    const chart = element("div", { class: "chart", role: "img", "aria-label": `${tile.title[state.language]}: ${say("chart_of")}` });
    if (tile.kind === "heat") {
      const across = new Set(rows.map((row) => row.codes[tile.roles.x])).size;
      chart.style.minWidth = `${across * 42 + (tile.columns[tile.roles.x].kind === "text" ? 240 : 90)}px`;
    }
    place.replaceChildren(chart);
    const isScrolled = chart.scrollWidth > place.clientWidth + 1;
    if (isScrolled) { place.setAttribute("tabindex", "0"); place.setAttribute("role", "region"); place.setAttribute("aria-label", tile.title[state.language]); }
    else for (const name of ["tabindex", "role", "aria-label"]) place.removeAttribute(name);
    const result = await vegaEmbed(chart, legends, { actions: false, renderer: "svg", logLevel: ERRORS_ONLY, config: config(), tooltip: { theme: isDark() ? "dark" : "light" } });
    if (drawings.get(tile.id) !== turn) result.finalize();
    else for (const svg of chart.querySelectorAll("svg")) svg.setAttribute("aria-hidden", "true");
  }

  // ---- figures without a chart --------------------------------------------------------------------------------------
  function drawKpi(tile, place, rows) {
    const { value, low, high, n, period, mature, target } = tile.roles;
    const { format } = tile.columns[value];
    const usable = rows.filter((row) => row.codes[value] !== null && (!mature || row.codes[mature] !== false));
    if (period) usable.sort((a, b) => compare(a.codes[period], b.codes[period]));
    const last = usable.at(-1);
    if (!last) { place.replaceChildren(element("p", { class: "empty" }, say("no_figure"))); return; }
    // two cuts of the same period are not one period after the other
    const before = period ? usable.filter((row) => row.codes[period] < last.codes[period]).at(-1) : undefined;
    const list = element("dl");
    const entry = (name, text, kind = null) => list.append(element("dt", {}, ...[name].flat()), element("dd", { class: kind }, text));
    const isGood = (change) => (change === 0 ? null : (change > 0) === (tile.better === "up") ? "good" : "bad");
    if (low && last.codes[low] !== null) entry(say("interval_short"), `${written(last.codes[low], format)} – ${written(last.codes[high], format)}`);
    const aim = typeof target === "string" ? last.codes[target] : target;
    if (aim !== undefined && aim !== null) {
      const met = tile.better === "up" ? last.codes[value] >= aim : last.codes[value] <= aim;
      entry(say("target"), `${written(aim, format)} · ${say(met ? "met" : "missed")}`, met ? "good" : "bad");
    }
    if (before) {
      const change = last.codes[value] - before.codes[value];
      const sign = change > 0 ? "+" : "";
      const text = format === "percent" ? `${sign}${written(change * 100, "score")} ${say("points")}` : `${sign}${written(change, format)}`;
      const [head, tail] = say("change").split("{period}");
      const since = element("span", { class: "date" }, written(before.codes[period], tile.columns[period].format));
      entry([head, since, tail], text, isGood(change));
    }
    if (period) entry(label(tile, period), written(last.codes[period], tile.columns[period].format));
    if (n) entry(label(tile, n), written(last.codes[n], "integer"));
    const unit = format === "money" ? element("span", { class: "unit" }, ` ${data.currency}`) : null;
    place.replaceChildren(element("p", { class: "value" }, written(last.codes[value], format), unit), list);
    if (rowState(tile, last) === "small") list.append(element("dt", {}, say("state")), element("dd", {}, say("state_small")));
  }
  function makeTable(tile, rows) {
    // what a filter has settled is the same in every row
    const settled = new Set(tile.kind === "table" ? tile.filters.filter((filter) => filter.kind === "select").map((filter) => filter.column) : []);
    const columns = Object.keys(tile.columns).filter((column) => column !== tile.roles.mature && !settled.has(column));
    const states = rows.map((row) => rowState(tile, row));
    const hasState = states.some((found) => found !== "ok");
    const greatest = Object.fromEntries(tile.bars.map((column) => [column, Math.max(0, ...rows.map((row) => row.codes[column] ?? 0))]));
    const head = element("tr", {}, ...columns.map((column) => element("th", { scope: "col", class: isNumber(tile, column) ? "number" : null }, label(tile, column))));
    if (hasState) head.append(element("th", { scope: "col" }, say("state")));
    const body = element("tbody");
    rows.forEach((row, place) => {
      const line = element("tr", { class: states[place] === "ok" ? null : "pale" });
      columns.forEach((column, position) => {
        const cell = element(position === 0 ? "th" : "td", position === 0 ? { scope: "row" } : {}, written(shown(row, column), tile.columns[column].format));
        if (isNumber(tile, column)) cell.className = "number";
        if (tile.columns[column].kind === "date" || tile.columns[column].format === "month") cell.className = "date";
        if (column in greatest && greatest[column] > 0) {
          cell.classList.add("with-bar");
          cell.style.setProperty("--share", `${Math.max(0, ((row.codes[column] ?? 0) / greatest[column]) * 100)}%`);
        }
        line.append(cell);
      });
      if (hasState) line.append(element("td", {}, say(`state_${states[place]}`)));
      body.append(line);
    });
    const caption = element("caption", {}, `${tile.title[state.language]}: ${written(rows.length, "integer")} ${say(rows.length === 1 ? "row" : "rows")}`);
    const table = element("table", {}, caption, element("thead", {}, head), body);
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${tile.title[state.language]}: ${say("table")}` }, table);
  }
  function csvOf(tile, rows) {
    const columns = Object.keys(tile.columns);
    const cell = (value) => {
      if (value === null || value === undefined) return "";
      // a text that a spreadsheet would run is kept a text; a figure is none
      const isRun = typeof value === "string" && /^[=+\-@\t\r]/.test(value) && !/^-[\d.,]+%?$/.test(value);
      const text = isRun ? `'${value}` : String(value);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = [columns.map((column) => label(tile, column)), ...rows.map((row) => columns.map((column) => shown(row, column)))];
    // with the mark that tells a spreadsheet that it is UTF-8
    return `\uFEFF${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
  }
  function drawTable(tile, place, rows) {
    const button = element("button", { type: "button" }, say("csv"));
    button.addEventListener("click", () => {
      const link = element("a", { href: URL.createObjectURL(new Blob([csvOf(tile, rows)], { type: "text/csv" })), download: `${tile.id}.csv` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    place.replaceChildren(makeTable(tile, rows), button);
  }

  // ---- what stands under a chart ------------------------------------------------------------------------------------
  function drawNotes(tile, place, rows, notes) {
    const lines = [...notes];
    const parts = [];
    if (tile.kind !== "kpi" && rows.length) {
      const counts = tile.roles.n ? rows.map((row) => row.codes[tile.roles.n]).filter((count) => count !== null) : [];
      if (counts.length) {
        const [least, most] = [Math.min(...counts), Math.max(...counts)].map((count) => written(count, "integer"));
        const range = least === most ? least : `${least}–${most}`;
        parts.push(say("n_of").replace("{label}", label(tile, tile.roles.n)).replace("{range}", range));
      }
      if (tile.roles.low) {
        const series = tile.roles.series ? new Set(rows.map((row) => row.codes[tile.roles.series])).size : 1;
        const isHidden = ["line", "survival"].includes(tile.kind) && series > MOST_BANDS;
        parts.push(say(isHidden ? "interval_hidden" : "interval"));
      }
      if (parts.length) lines.push(parts.join(" · "));
      const states = new Set(rows.map((row) => rowState(tile, row)));
      if (states.has("immature")) lines.push(say("immature"));
      if (states.has("small")) lines.push(say("small").replace("{small}", tile.small));
    }
    place.replaceChildren(...lines.map((line) => element("p", {}, line)));
  }

  function drawTile(tile) {
    const section = document.getElementById(`tile-${tile.id}`);
    const own = (state.tiles[tile.id] ??= {});
    drawFilters(section.querySelector(".tile-filters"), tile.filters, own, [tile], (column) => label(tile, column), tile.id);
    const { rows, notes, empty } = rowsOf(tile);
    const figure = section.querySelector(".figure");
    const details = section.querySelector("details");
    const figureColumn = tile.roles.value || tile.roles.y || tile.roles.effect || tile.roles.observed;
    const hasFigure = !figureColumn || rows.some((row) => row.codes[figureColumn] !== null);
    drawNotes(tile, section.querySelector(".notes"), hasFigure ? rows : [], notes);
    details.hidden = !rows.length || tile.kind === "table";
    const table = details.querySelector(".rows");
    if (details.open) drawTable(tile, table, rows);
    else table.replaceChildren();
    details.ontoggle = () => { if (details.open && !table.childElementCount) drawTable(tile, table, rowsOf(tile).rows); };
    if (!rows.length) {
      drawings.set(tile.id, (drawings.get(tile.id) || 0) + 1);
      figure.replaceChildren(element("p", { class: "empty" }, say(empty)));
      return null;
    }
    if (!hasFigure) {
      drawings.set(tile.id, (drawings.get(tile.id) || 0) + 1);
      figure.replaceChildren(element("p", { class: "empty" }, say("no_figure")));
      return null;
    }
    if (tile.kind === "kpi") return drawKpi(tile, figure, rows);
    if (tile.kind === "table") { drawTable(tile, figure, rows); return null; }
    return drawChart(tile, figure, rows);
  }
  async function draw() {
    document.documentElement.removeAttribute("data-ready");
    document.documentElement.lang = state.language === "zh" ? "zh-Hans" : "en";
    document.documentElement.dataset.shown = isDark() ? "dark" : "light";
    for (const named of document.querySelectorAll("[data-aria]")) named.setAttribute("aria-label", say(named.dataset.aria));
    const theme = document.getElementById("theme");
    theme.replaceChildren(...["auto", "light", "dark"].map((name) => element("option", { value: name }, say(`theme_${name}`))));
    theme.value = state.theme;
    if (data) await drawBoard();
    document.documentElement.dataset.ready = "yes";
  }
  async function drawBoard() {
    document.title = `${data.title[state.language]} – ${document.querySelector(".company").textContent}`;
    const form = document.getElementById("filters");
    // the reference has none
    const drawn = form && drawFilters(form, data.filters, state.board, data.tiles, (column) => data.filterLabels[column][state.language], "board");
    if (form) form.hidden = !drawn;
    if (drawn) {
      const reset = element("button", { type: "button", id: "reset" }, say("reset"));
      reset.addEventListener("click", () => { state.board = {}; state.tiles = {}; changed(); });
      form.append(reset);
    }
    await Promise.all(data.tiles.map(async (tile) => {
      try { await drawTile(tile); } catch (error) {
        // one chart that fails leaves the others, and its own table
        console.error(error);
        document.querySelector(`#tile-${tile.id} .figure`).replaceChildren(element("p", { class: "empty" }, say("chart_failed")));
      }
    }));
  }

  const language = document.getElementById("language");
  language.value = state.language;
  language.addEventListener("change", () => { state.language = language.value; remember("language", language.value); changed(); });
  const theme = document.getElementById("theme");
  theme.addEventListener("change", () => { state.theme = theme.value; remember("theme", theme.value); changed(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  let width = innerWidth;
  addEventListener("resize", () => { if (Math.abs(innerWidth - width) > 40) { width = innerWidth; draw(); } });
  draw();
})();
