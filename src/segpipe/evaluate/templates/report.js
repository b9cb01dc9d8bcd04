const number = (text) => parseFloat(text.replace("–", "NaN").replace("%", ""));
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.tHead.querySelectorAll("th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = header.getAttribute("aria-sort") === "ascending";
      const numeric = header.classList.contains("number");
      const key = (row) => row.cells[column].textContent.trim();
      const compare = (a, b) => {
        if (!numeric) return key(a).localeCompare(key(b)) * (descending ? -1 : 1);
        const [x, y] = [number(key(a)), number(key(b))];
        if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
        return (x - y) * (descending ? -1 : 1);
      };
      table.tHead.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      body.append(...[...body.rows].sort(compare));
    });
  });
}
const lightbox = document.getElementById("lightbox");
for (const button of document.querySelectorAll("button.zoom")) {
  button.addEventListener("click", () => {
    const image = button.querySelector("img");
    lightbox.querySelector("img").src = image.src;
    lightbox.querySelector("img").alt = image.alt;
    lightbox.querySelector("p").textContent = image.alt;
    lightbox.showModal();
  });
}
lightbox.addEventListener("click", (event) => { if (event.target === lightbox) lightbox.close(); });
