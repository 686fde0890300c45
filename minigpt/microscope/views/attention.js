function mgAttention(root) {
  const data = JSON.parse(root.querySelector("script").textContent);
  const [layer, head] = root.querySelectorAll("select");
  const cells = root.querySelectorAll("td");
  function show() {
    const weights = data[layer.selectedIndex][head.selectedIndex];
    let n = 0;
    weights.forEach((row, t) => {
      for (let s = 0; s < weights.length; s++, n++) {
        const w = s < row.length ? row[s] : 0;
        cells[n].style.setProperty("--w", w / 100);
        cells[n].textContent = s > t ? "" : w || "·";
      }
    });
    root.querySelectorAll(".mg-layer").forEach((node) => (node.textContent = layer.value));
    root.querySelectorAll(".mg-head").forEach((node) => (node.textContent = head.value));
  }
  root.querySelector(".mg-choose").hidden = false;
  [layer, head].forEach((choice) => choice.addEventListener("change", show));
  show();
}
