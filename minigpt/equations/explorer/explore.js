function mgExplore(root) {
  if (root.dataset.ready) return;
  const zh = (root.closest("[lang]")?.lang ?? "").startsWith("zh");
  const say = (english, chinese) => (zh ? chinese : english);
  root.dataset.ready = "yes";
  const { parts, ranges, result, zh: words } = JSON.parse(root.querySelector("script").textContent);
  const at = Object.fromEntries(Object.entries(ranges).map(([letter, [low]]) => [letter, low]));
  const nodes = [...root.querySelectorAll(".mg-part")];
  const [resultLine, about] = [root.querySelector(".mg-result"), root.querySelector(".mg-about")];
  const indices = root.querySelector(".mg-indices");
  let shown = null, unrolled = false;

  const element = (tag, attributes = {}, text = "") => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  };
  const keyOf = (part) => part.letters.map((letter) => at[letter]).join(",");
  const written = (part) => part.letters.map((letter) => `${letter} = ${at[letter]}`).join(", ");
  const valueOf = (part) => part.values[keyOf(part)];

  const spins = Object.entries(ranges).map(([letter, [low, high]]) => {
    const box = element("span", { class: "mg-index" });
    const attributes = { role: "spinbutton", tabindex: 0, "aria-label": say(`index ${letter}`, `指标 ${letter}`), "aria-valuemin": low, "aria-valuemax": high };
    const spin = element("span", attributes);
    const less = element("button", { type: "button", "aria-label": say(`${letter}: one less`, `${letter} 减一`) }, "−");
    const more = element("button", { type: "button", "aria-label": say(`${letter}: one more`, `${letter} 加一`) }, "+");
    less.onclick = () => move(letter, -1);
    more.onclick = () => move(letter, 1);
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, Home: low - high, End: high - low };
    spin.onkeydown = (event) => {
      if (!(event.key in steps)) return;
      event.preventDefault();
      move(letter, steps[event.key]);
    };
    box.append(less, spin, more);
    indices.append(box);
    return { letter, spin, less, more };
  });

  function move(letter, by) {
    const [low, high] = ranges[letter];
    at[letter] = Math.min(high, Math.max(low, at[letter] + by));
    render();
  }

  function render() {
    for (const { letter, spin, less, more } of spins) {
      const [low, high] = ranges[letter];
      spin.textContent = `${letter} = ${at[letter]}`;
      spin.setAttribute("aria-valuenow", at[letter]);
      spin.setAttribute("aria-valuetext", say(`${letter} = ${at[letter]} of ${high}`, `${letter} = ${at[letter]}，共 ${high}`));
      less.disabled = at[letter] === low;
      more.disabled = at[letter] === high;
    }
    if (result >= 0) resultLine.textContent = line(parts[result]);
    for (const node of nodes) node.classList.toggle("mg-shown", node === shown);
    if (shown) describe(parts[shown.dataset.part]);
  }

  function line(part) {
    const value = valueOf(part);
    const where = part.letters.length ? say(` at ${written(part)}`, `（${written(part)}）`) : "";
    if (value === undefined) return `${part.name}${where}${say(": not used here", "：此处不用")}`;
    return `${part.name} = ${value}${where}`;
  }

  function describe(part) {
    const isSum = Object.keys(part.terms).length > 0;
    const lines = [element("p", { class: "mg-name" }, isSum || Object.keys(part.values).length ? line(part) : part.name)];
    if (part.about && !isSum) lines.push(element("p", {}, part.about));
    if (isSum && unrolled) {
      const list = element("ol", { class: "mg-terms" });
      list.append(...(part.terms[keyOf(part)] ?? []).map((term) => element("li", {}, term)));
      lines.push(list);
    } else if (isSum) {
      lines.push(element("p", {}, say("Enter or a click unrolls it, term by term.", "按回车或点击，逐项展开。")));
    } else if (part.whole.length > 1 || (part.whole[0] ?? []).length > 1) {
      const table = element("table");
      for (const row of part.whole) table.insertRow().append(...row.map((value) => element("td", {}, value)));
      const scroll = element("div", { class: "mg-scroll", tabindex: 0, role: "group", "aria-label": say(`all values of ${part.name}`, `${part.name} 的所有值`) });
      scroll.append(table);
      lines.push(scroll);
    }
    about.replaceChildren(...lines);
  }

  function show(node, unroll) {
    unrolled = unroll ?? (node === shown && unrolled);
    shown = node;
    for (const each of nodes) each.setAttribute("tabindex", each === node ? 0 : -1);
    for (const each of nodes) if (isSum(each)) each.dataset.unrolled = each === node && unrolled;
    render();
  }

  const isSum = (node) => Object.keys(parts[node.dataset.part].terms).length > 0;
  const label = (node, text) => node.setAttribute("aria-label", text);
  if (zh) {
    label(root, root.getAttribute("aria-label").replace("Explore", "探索"));
    label(indices, "指标");
    root.querySelectorAll(".mg-row").forEach((row, i) => label(row, words.rows[i]));
    for (const where of root.querySelectorAll(".mg-row span")) where.textContent = "其中";
    nodes.forEach((node) => {
      label(node, words.parts[node.dataset.part]);
      node.setAttribute("aria-roledescription", isSum(node) ? "求和" : "符号");
    });
  }
  nodes.forEach((node, place) => {
    const toggle = () => show(node, isSum(node) && !(node === shown && unrolled));
    node.addEventListener("pointerenter", () => !unrolled && show(node));
    node.addEventListener("focus", () => show(node));
    node.addEventListener("click", () => {
      const open = !(node === shown && unrolled);
      node.focus();
      show(node, isSum(node) && open);
    });
    node.addEventListener("keydown", (event) => {
      const letter = parts[node.dataset.part].letters[event.shiftKey ? 1 : 0];
      if (event.key === "Enter" || event.key === " ") toggle();
      else if (event.key === "Escape") show(node, false);
      else if (event.key === "ArrowRight" || event.key === "ArrowLeft")
        nodes[(place + (event.key === "ArrowRight" ? 1 : nodes.length - 1)) % nodes.length].focus();
      else if (event.key === "Home") nodes[0].focus();
      else if (event.key === "End") nodes.at(-1).focus();
      else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && letter) move(letter, event.key === "ArrowUp" ? 1 : -1);
      else return;
      event.preventDefault();
    });
    if (isSum(node)) node.dataset.unrolled = false;
  });
  nodes[0]?.setAttribute("tabindex", 0);
  about.dataset.empty = say("Point at a symbol, or move to it with Tab and the arrow keys.", "指向一个符号，或用 Tab 键和方向键移到它上面。");
  render();
}
