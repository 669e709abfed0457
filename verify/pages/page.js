"use strict";
// Shows what the page's data says; every state in it was computed by `verify`.
(() => {
  const runs = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const sections = [...document.querySelectorAll("section.run")];
  const links = [...document.querySelectorAll(".runs a")];
  const slider = element("slider");
  let run = null; // the section that is shown
  let step = 0;

  const steps = () => runs[run.id];

  function showCell(cell, frame) {
    const key = cell.dataset.cell;
    const changed = key in frame.changed;
    cell.classList.toggle("changed", changed);
    cell.querySelector(".value").textContent = frame.cells[key];
    cell.querySelector(".was").textContent = changed ? `was ${frame.changed[key]}` : "";
    // A fault is not a change like any other.
    cell.classList.toggle("bad", frame.cells[key].startsWith("FAULT"));
  }

  function show(number) {
    const last = steps().length - 1;
    step = Math.min(Math.max(number, 0), last);
    const frame = steps()[step];
    run.querySelectorAll("td[data-cell]").forEach((cell) => showCell(cell, frame));
    run.querySelectorAll(".steps button").forEach((button) => {
      const here = Number(button.dataset.step) === step;
      if (here) {
        button.setAttribute("aria-current", "step");
        const list = button.closest(".steps");
        // Not scrollIntoView: that would move the page as well.
        list.scrollTop = button.offsetTop - list.clientHeight / 2;
      } else {
        button.removeAttribute("aria-current");
      }
    });
    run.querySelectorAll(".v-row").forEach((row) => {
      row.classList.toggle("v-now", Number(row.dataset.row) === step);
    });
    run.querySelectorAll(".v-step").forEach((row) => {
      row.classList.toggle("v-later", Number(row.dataset.step) > step);
    });
    slider.max = last;
    slider.value = step;
    slider.setAttribute("aria-valuetext", `step ${step} of ${last}`);
    element("count").textContent = `Step ${step} of ${last}:`;
    element("said").textContent = frame.text;
    element("toolbar").classList.toggle("bad", frame.fault);
    element("first").disabled = element("back").disabled = step === 0;
    element("last").disabled = element("forward").disabled = step === last;
  }

  function choose(id) {
    run = sections.find((section) => section.id === id) || sections[0];
    sections.forEach((section) => { section.hidden = section !== run; });
    links.forEach((link) => {
      if (link.hash === `#${run.id}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    show(0);
  }

  element("first").addEventListener("click", () => show(0));
  element("back").addEventListener("click", () => show(step - 1));
  element("forward").addEventListener("click", () => show(step + 1));
  element("last").addEventListener("click", () => show(Infinity));
  slider.addEventListener("input", () => show(Number(slider.value)));
  links.forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault(); // the page stays where it is; the address still names the run
    history.replaceState(null, "", link.hash);
    choose(link.hash.slice(1));
  }));
  sections.forEach((section) => section.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-step]");
    const row = event.target.closest(".v-row, .v-step");
    if (button) show(Number(button.dataset.step));
    else if (row) show(Number(row.dataset.row || row.dataset.step));
  }));
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    // A wide picture scrolls by these keys.
    if (event.target.classList.contains("scroll")) return;
    const target = { ArrowRight: step + 1, ArrowLeft: step - 1, Home: 0, End: Infinity }[event.key];
    if (target === undefined) return;
    event.preventDefault(); // the slider would move once more
    show(target);
  });

  document.body.classList.add("scripted");
  document.querySelectorAll(".toolbar, .player, .jump, .keys").forEach((part) => {
    part.hidden = false;
  });
  document.querySelectorAll("details.all").forEach((part) => { part.open = false; });
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((part) => { part.open = true; });
  });
  window.addEventListener("hashchange", () => choose(location.hash.slice(1)));
  choose(location.hash.slice(1));
})();
