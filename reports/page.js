"use strict";
// The page is whole without this. It sorts and filters the tables, and shows the command behind a row.

const tables = [...document.querySelectorAll(".scroll table")];
const body = (table) => table.tBodies[0];

// Sorting: a click on a column's head, or Enter on it; once more turns the order. Rows without a value are last.
for (const table of tables) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const name = head.firstChild;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name.textContent.trim();
    name.replaceWith(button);
    button.addEventListener("click", () => sort(table, head, column));
  });
}

function sort(table, head, column) {
  const number = head.classList.contains("number");
  const before = head.getAttribute("aria-sort");
  const down = before ? before === "ascending" : number; // numbers begin with the largest
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => {
    const cell = row.cells[column];
    return number ? cell.dataset.sort : cell.textContent;
  };
  const value = (text) => (text === "+Inf" ? Infinity : Number(text));
  const rows = [...body(table).rows].map((row) => [key(row), row]);
  rows.sort(([a], [b]) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = number ? value(a) - value(b) || 0 : a < b ? -1 : a > b ? 1 : 0;
    return down ? -order : order;
  });
  body(table).append(...rows.map(([, row]) => row));
}

// Filters: rows of another port or protocol are hidden, in the tables that have such a column.
const form = document.getElementById("filter");
const ports = document.getElementById("filter-ports");
const protocol = document.getElementById("filter-protocol");
form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", filter);
form.addEventListener("reset", () => setTimeout(filter));

// ranges reads "80,443,8000-8999"; null if it is something else.
function ranges(text) {
  const list = [];
  for (const part of text.split(/[\s,]+/).filter(Boolean)) {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (!found) return null;
    list.push([Number(found[1]), Number(found[2] ?? found[1])]);
  }
  return list;
}

function filter() {
  const wanted = ranges(ports.value);
  ports.setCustomValidity(wanted ? "" : "Ports, as in 80,443,8000-8999");
  const found = document.getElementById("filter-found");
  if (!wanted) {
    found.textContent = ports.validationMessage;
    return;
  }
  let shown = 0, all = 0;
  for (const table of tables) {
    const rows = [...body(table).rows];
    const hasPort = rows.some((row) => "port" in row.dataset), hasProtocol = rows.some((row) => "protocol" in row.dataset);
    for (const row of rows) {
      const port = Number(row.dataset.port);
      const off = (wanted.length > 0 && hasPort && !wanted.some(([first, last]) => port >= first && port <= last)) ||
        (protocol.value !== "" && hasProtocol && row.dataset.protocol !== protocol.value);
      row.hidden = off;
      if (!hasPort && !hasProtocol) continue;
      all++;
      if (!off) shown++;
    }
  }
  const filters = wanted.length > 0 || protocol.value !== "";
  found.textContent = filters ? `${shown} of ${all} rows` : "";
}

// Examples: the first cell of a row that has one shows the command that prints it.
for (const table of tables) {
  const place = table.closest("details").querySelector(".example code");
  for (const row of body(table).rows) {
    if (!row.dataset.example) continue;
    const cell = row.cells[0];
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Show the commands that print an example";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      for (const other of body(table).rows) other.classList.toggle("chosen", other === row);
      place.textContent = row.dataset.example;
      table.closest("details").querySelector(".which").textContent = "the chosen row";
    });
  }
}

