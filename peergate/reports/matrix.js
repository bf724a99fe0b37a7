"use strict";
// Draws only what is in sight: of 500 identities and 500 routes there are 250 000 cells.
// Every text is a text node: nothing of the policy is ever read as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [grid, head, body, names, detail, filter] =
    ["grid", "head", "body", "names", "detail", "filter"].map((id) => document.getElementById(id));
  const WORDS = ["allow", "if", "deny", "none"], GLYPHS = ["✓", "◐", "✕", ""];
  const SAID = ["allowed", "allowed under conditions", "denied", "denied: no rule allows it"];
  const HIGH = 28;
  let wide = true, WIDE = 132, HEAD = 34;
  const NAMES = Math.min(340, 60 + 8 * Math.max(8, ...data.rows.map((row) => row[0].length)));
  const own = new Map();
  for (const [row, column, verdict, shadow, uses] of data.cells) own.set(row * data.columns.length + column, { verdict, shadow, uses });
  let rows = [...data.rows.keys()], columns = [...data.columns.keys()], active = [0, 0];

  const cellAt = (row, column) => {
    const found = own.get(row * data.columns.length + column);
    if (found) return found;
    const uses = [...data.rows[row][2], ...data.columns[column][2]];
    return { verdict: uses.some((use) => data.uses[use][3]) ? 2 : 3, shadow: -1, uses };
  };
  const element = (className, text, parent) => {
    const made = document.createElement("div");
    made.className = className;
    made.textContent = text;
    parent.append(made);
    return made;
  };
  const sentence = (row, column, cell) => {
    const shadow = cell.shadow < 0 ? "" : `; with shadow rules: ${SAID[cell.shadow]}`;
    return `${data.rows[row][0]} on ${data.columns[column][0]}: ${SAID[cell.verdict]}${shadow}`;
  };

  const explain = (row, column) => {
    const cell = cellAt(row, column), list = document.createElement("ul");
    detail.replaceChildren();
    const said = document.createElement("p"), strong = document.createElement("b");
    strong.textContent = sentence(row, column, cell);
    said.append(strong);
    const about = document.createElement("p");
    about.className = "about";
    about.textContent = `${data.rows[row][1]} → ${data.columns[column][1]}`;
    for (const use of cell.uses) {
      const item = document.createElement("li"), [text, , description] = data.uses[use];
      item.textContent = description ? `${text} (${description})` : text;
      list.append(item);
    }
    detail.append(said, about, list);
    for (const marked of document.querySelectorAll(".on")) marked.classList.remove("on");
    for (const marked of document.querySelectorAll(`.name[data-at="${row}"], .title[data-at="${column}"]`)) marked.classList.add("on");
  };

  const range = (from, size, step, count) =>
    [Math.max(0, Math.floor(from / step) - 2), Math.min(count, Math.ceil((from + size) / step) + 2)];

  const draw = () => {
    const focused = document.activeElement && document.activeElement.classList.contains("cell");
    const [top, bottom] = range(grid.scrollTop, grid.clientHeight - HEAD, HIGH, rows.length);
    const [left, right] = range(grid.scrollLeft, grid.clientWidth - NAMES, WIDE, columns.length);
    for (const old of grid.querySelectorAll(".name, .title, .cell")) old.remove();
    for (let y = top; y < bottom; y++) {
      const name = element("name", data.rows[rows[y]][0], names);
      name.title = data.rows[rows[y]][1];
      name.dataset.at = rows[y];
      Object.assign(name.style, { top: `${y * HIGH}px`, height: `${HIGH}px`, lineHeight: `${HIGH}px` });
    }
    for (let x = left; x < right; x++) {
      const title = element("title", data.columns[columns[x]][0], head);
      title.title = data.columns[columns[x]][1];
      title.dataset.at = columns[x];
      Object.assign(title.style, { left: `${NAMES + x * WIDE}px`, width: `${WIDE}px`, maxHeight: `${HEAD - 4}px` });
      for (let y = top; y < bottom; y++) drawCell(x, y);
    }
    if (focused) focusActive();
  };
  const drawCell = (x, y) => {
    const row = rows[y], column = columns[x], cell = cellAt(row, column), here = x === active[1] && y === active[0];
    if (cell.verdict === 3 && cell.shadow < 0 && !here && rows.length * columns.length > 4000) return;
    const text = wide ? `${GLYPHS[cell.verdict]} ${cell.verdict < 3 ? WORDS[cell.verdict] : ""}` : GLYPHS[cell.verdict];
    const made = element(`cell mark v${cell.verdict}${cell.shadow < 0 ? "" : " shadow"}`, text, body);
    made.setAttribute("role", "gridcell");
    made.setAttribute("aria-label", sentence(row, column, cell));
    made.tabIndex = here ? 0 : -1;
    if (here) made.id = "active";
    Object.assign(made.style, { left: `${NAMES + x * WIDE}px`, top: `${y * HIGH}px`, width: `${WIDE}px`, height: `${HIGH}px` });
  };

  const size = () => {
    wide = columns.length <= 12;
    [WIDE, HEAD] = wide ? [132, 34] : [28, 190];
    head.classList.toggle("tall", !wide);
    const width = `${NAMES + columns.length * WIDE}px`;
    Object.assign(head.style, { width, height: `${HEAD}px` });
    Object.assign(body.style, { width, height: `${rows.length * HIGH}px` });
    Object.assign(body.style, { backgroundSize: `${WIDE}px ${HIGH}px`, backgroundPosition: `${NAMES}px 0` });
    names.style.width = document.getElementById("corner").style.width = `${NAMES}px`;
    grid.setAttribute("aria-rowcount", rows.length);
    grid.setAttribute("aria-colcount", columns.length);
    document.getElementById("count").textContent =
      `${rows.length} of ${data.rows.length} identities, ${columns.length} of ${data.columns.length} routes`;
  };

  // What has the text in its name or its definition stays, with what some rule says of it; so does a cell of such a rule.
  const apply = () => {
    const text = filter.value.trim().toLowerCase(), all = text === "";
    const has = (axis) => axis[0].toLowerCase().includes(text) || axis[1].toLowerCase().includes(text);
    const byRow = data.rows.map(has), byColumn = data.columns.map(has);
    const byUse = data.uses.map((use) => use[1].toLowerCase().includes(text));
    const shownRows = new Set(), shownColumns = new Set();
    for (const [row, column, , , uses] of data.cells) {
      if (!(byRow[row] || byColumn[column] || uses.some((use) => byUse[use]))) continue;
      shownRows.add(row);
      shownColumns.add(column);
    }
    rows = [...data.rows.keys()].filter((row) => all || byRow[row] || shownRows.has(row));
    columns = [...data.columns.keys()].filter((column) => all || byColumn[column] || shownColumns.has(column));
    for (const item of document.querySelectorAll("#list li[data-row]")) {
      const row = +item.dataset.row, column = +item.dataset.column;
      item.hidden = !all && !(byRow[row] || byColumn[column] || cellAt(row, column).uses.some((use) => byUse[use]));
    }
    for (const part of document.querySelectorAll("#list section")) part.hidden = !part.querySelector("li:not([hidden])");
    active = [0, 0];
    size();
    draw();
  };

  const focusActive = () => {
    const found = document.getElementById("active");
    if (found) found.focus({ preventScroll: true });
  };
  const moveTo = (y, x) => {
    if (!rows.length || !columns.length) return;
    active = [Math.max(0, Math.min(rows.length - 1, y)), Math.max(0, Math.min(columns.length - 1, x))];
    const top = active[0] * HIGH, left = active[1] * WIDE, high = grid.clientHeight - HEAD, width = grid.clientWidth - NAMES;
    if (top < grid.scrollTop) grid.scrollTop = top;
    if (top + HIGH > grid.scrollTop + high) grid.scrollTop = top + HIGH - high;
    if (left < grid.scrollLeft) grid.scrollLeft = left;
    if (left + WIDE > grid.scrollLeft + width) grid.scrollLeft = left + WIDE - width;
    draw();
    focusActive();
    explain(rows[active[0]], columns[active[1]]);
  };
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-15, 0], PageDown: [15, 0] };
  grid.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (event.key === "Home") moveTo(active[0], 0);
    else if (event.key === "End") moveTo(active[0], columns.length - 1);
    else if (step) moveTo(active[0] + step[0], active[1] + step[1]);
    else return;
    event.preventDefault();
  });
  const pointed = (event) => {
    const area = body.getBoundingClientRect();
    const y = Math.floor((event.clientY - area.top) / HIGH), x = Math.floor((event.clientX - area.left - NAMES) / WIDE);
    const inSight = event.clientX >= grid.getBoundingClientRect().left + NAMES;
    return inSight && y >= 0 && y < rows.length && x >= 0 && x < columns.length ? [y, x] : null;
  };
  body.addEventListener("mousemove", (event) => {
    const at = pointed(event);
    if (at) explain(rows[at[0]], columns[at[1]]);
  });
  body.addEventListener("click", (event) => {
    const at = pointed(event);
    if (at) moveTo(...at);
  });
  grid.addEventListener("focusin", () => {
    if (rows.length && columns.length) explain(rows[active[0]], columns[active[1]]);
  });
  grid.addEventListener("scroll", () => requestAnimationFrame(draw));
  window.addEventListener("resize", draw);
  // The filter stands in the address, so that a link can show a part of the matrix.
  const address = () => {
    const said = location.hash.startsWith("#filter=") ? location.hash.slice(8) : "";
    try { filter.value = decodeURIComponent(said); } catch { filter.value = ""; }
    apply();
  };
  filter.addEventListener("input", () => {
    history.replaceState(null, "", filter.value ? `#filter=${encodeURIComponent(filter.value)}` : location.pathname + location.search);
    apply();
  });
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", address);
  document.documentElement.classList.add("scripted");
  for (const part of [document.getElementById("tools"), grid, detail]) part.hidden = false;
  address();
})();
