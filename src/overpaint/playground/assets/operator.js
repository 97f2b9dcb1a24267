// The operator's view: numbers, plots over the last hour, tables and the end of the log.

import { acts, button, h, say, show } from "./dom.js";

export function mount({ element, props, watch, trigger }) {
  const root = element.querySelector(".op-operator");
  const words = props.words;

  function number(label, value) {
    return h("div", { class: "op-number-card" }, h("dt", {}, label), h("dd", {}, String(value)));
  }

  function table(caption, heads, rows) {
    return h("div", { class: "op-table", role: "region", tabindex: 0, "aria-label": caption },
      h("table", {}, h("caption", {}, caption),
        h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
        h("tbody", {}, rows.length
          ? rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))
          : h("tr", {}, h("td", { colspan: heads.length, class: "op-hint" }, words.nothing)))));
  }

  function plot(title, lines, unit) {
    const most = Math.max(...lines.flatMap((line) => line.values), 0) || 1;
    const points = (values) =>
      values.map((value, at) => `${((at * 600) / (values.length - 1)).toFixed(1)},${(100 - (value / most) * 92).toFixed(1)}`);
    const told = `${title}: ${lines.map((line) => `${line.name} ${Math.max(...line.values)} ${unit}`).join(", ")}`;
    return h("figure", { class: "op-plot" },
      h("figcaption", {}, title, lines.map((line) => h("span", { class: line.look }, line.name))),
      h("svg", { viewBox: "0 0 600 104", role: "img", "aria-label": told, preserveAspectRatio: "none" },
        h("line", { x1: 0, y1: 100, x2: 600, y2: 100, class: "op-axis" }),
        lines.map((line) => h("polyline", { points: points(line.values).join(" "), class: line.look }))),
      h("p", { class: "op-hint" }, say(words.plot_range, { most: Number(most.toPrecision(3)), unit })));
  }

  function view(now) {
    const minutes = now.minutes;
    const problems = Object.entries(now.problems);
    return [
      h("dl", { class: "op-numbers" },
        number(words.state_queued, now.queued),
        number(words.state_running, now.running),
        number(words.pictures_hour, minutes.reduce((sum, minute) => sum + minute.pictures, 0)),
        number(words.health, problems.length ? problems.map(([part, why]) => `${part}: ${why}`).join("; ") : words.healthy),
        now.reused === null ? null : number(words.cache_hits, now.reused)),
      h("div", { class: "op-plots" },
        plot(words.throughput, [{ name: words.pictures_minute, look: "op-plot-a", values: minutes.map((one) => one.pictures) }], ""),
        plot(words.latency, [
          { name: "p50", look: "op-plot-a", values: minutes.map((one) => one.p50) },
          { name: "p95", look: "op-plot-b", values: minutes.map((one) => one.p95) }], "s")),
      table(words.under_way, [words.key, words.fact_model, words.dialect, words.state, words.age, words.cancel],
        now.open.map((task) => [task.key, task.model, task.dialect, words[`state_${task.state}`], `${task.age_s} s`,
          button("stop", words.cancel, { id: task.id }, { "aria-label": say(words.cancel_task, { id: task.id.slice(0, 8) }) })])),
      table(words.failures, [words.code_name, words.count_name], now.failures.map(([code, count]) => [code, String(count)])),
      table(words.keys, [words.key, words.pictures_month, words.spent_month, words.per_minute, words.open_tasks, words.budget],
        now.keys.map((key) => [key.admin ? `${key.name} · ${words.admin}` : key.name, String(key.pictures), `$${key.spent.toFixed(2)}`,
          key.per_minute ?? "–", key.open ?? "–", key.budget === null ? "–" : `$${key.budget}`].map(String))),
      h("section", {}, h("h2", {}, words.log),
        h("pre", { class: "op-log", tabindex: 0, "aria-label": words.log }, now.log.join("\n"))),
    ];
  }

  function render() {
    const now = props.value ?? {};
    if (now.refused) show(root, h("p", { role: "alert", class: "op-problem" }, now.refused));
    else show(root, now.minutes ? view(now) : h("p", { role: "status" }, words.working));
  }

  acts(root, {
    stop: ({ id }, thing) => {
      thing.disabled = true;
      trigger("stop", { id });
    },
  });
  watch("value", render);
  render();
}
