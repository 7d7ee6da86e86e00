// The page of `listen`: sends a song to the server on this machine, and shows and plays what the model hears.
// All text is set as text, never as HTML: names, tags and ids come from outside.
"use strict";

const COLOURS = ["#3b82c4", "#e07b1a", "#2f9e57", "#d14343", "#8b62c9", "#96644e", "#d069b0", "#7a8590", "#a8a322", "#1fa7b8"];
const SHOWN_TAGS = 10;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600]; // seconds between two marks of the time axis
const main = document.querySelector("main");
const mostBytes = Number(main.dataset.mostBytes);
const searches = "searches" in main.dataset;
const at = (id) => document.getElementById(id);
const player = at("player");
let shown = null; // the song that is shown
let searching = new AbortController(); // gives up the search for an earlier song
let asked = 0; // how often a song was given, so that only the last one is shown

function made(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function drawn(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function say(id, words, isProblem = false) {
  at(id).textContent = words;
  at(id).className = isProblem ? "problem" : "quiet";
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

async function answered(address, options) {
  const answer = await fetch(address, options);
  const fields = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(fields.detail || `the server answered with ${answer.status}`);
  return fields;
}

async function hear(file) {
  const mine = ++asked;
  if (file.size > mostBytes) {
    const megabytes = (bytes) => `${Math.round(bytes / 1e6).toLocaleString("en")} MB`;
    at("drop").classList.remove("busy"); // an earlier song is no longer waited for
    say("status", `${file.name}: expected at most ${megabytes(mostBytes)}, received ${megabytes(file.size)}; cut out a part of it`, true);
    return;
  }
  searching.abort();
  searching = new AbortController();
  at("drop").classList.add("busy");
  say("status", `Listening to ${file.name} …`);
  const form = new FormData();
  form.append("song", file);
  try {
    const song = await answered("/songs", { method: "POST", body: form });
    if (mine !== asked) return;
    say("status", "");
    show(song);
    if (searches) search(song, mine);
  } catch (error) {
    const words = error instanceof TypeError ? "the server does not answer; is the command still running?" : error.message;
    if (mine === asked) say("status", `${file.name}: ${words}`, true);
  } finally {
    if (mine === asked) at("drop").classList.remove("busy");
    at("file").value = ""; // so that the same file can be chosen again
  }
}

function show(song) {
  shown = song;
  at("song").hidden = false;
  at("name").textContent = song.name;
  const { codec, sample_rate: rate, channels, flags } = song.source;
  const parts = [codec, `${rate.toLocaleString("en")} Hz`, channels === 1 ? "mono" : `${channels} channels`, clock(song.seconds)];
  const kept = flags.length ? ` (${flags.join(", ")})` : "";
  at("source").textContent = `The file: ${parts.join(", ")}${kept}. The player plays what the model hears: mono, ${song.sample_rate.toLocaleString("en")} Hz.`;
  player.src = `/songs/${song.number}/heard.wav`;
  at("image").src = song.logmel;
  at("bands").replaceChildren(...song.bands.map(({ hz, height }) => {
    const label = made("span", hz >= 1024 ? `${hz / 1024}k` : String(hz));
    label.style.bottom = `${100 * height}%`;
    return label;
  }));
  showTimes(song.seconds);
  showLines(song);
  showTags(song.scores, SHOWN_TAGS);
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  at("song").scrollIntoView({ behavior: isCalm ? "instant" : "smooth", block: "start" });
}

function showTimes(seconds) {
  const most = at("times").clientWidth < 450 ? 5 : 10;
  const step = STEPS.find((one) => seconds / one <= most) || STEPS[STEPS.length - 1];
  const labels = [];
  for (let moment = 0; moment <= seconds; moment += step) {
    const label = made("span", clock(moment), seconds - moment < step / 4 ? "last" : "");
    label.style.left = `${(100 * moment) / seconds}%`;
    labels.push(label);
  }
  at("times").replaceChildren(...labels);
}

function showLines(song) {
  const { edges, lines, seconds } = song;
  const across = (moment) => ((1000 * moment) / seconds).toFixed(2);
  const grid = [0, 25, 50, 75, 100].map((height) => drawn("line", { x1: 0, x2: 1000, y1: height, y2: height }));
  const paths = lines.map(({ scores }, number) => {
    const steps = scores.map((score, step) => `${across(edges[step])} ${(100 * (1 - score)).toFixed(2)} H${across(edges[step + 1])}`);
    return drawn("path", { d: `M${steps.join(" L")}`, stroke: COLOURS[number % COLOURS.length] });
  });
  at("lines").replaceChildren(...grid, ...paths.reverse()); // the highest tag on top
  at("legend").replaceChildren(...lines.map(({ tag }, number) => {
    const item = made("li");
    const colour = made("i");
    colour.style.background = COLOURS[number % COLOURS.length];
    const name = made("b", tag);
    name.title = tag;
    item.append(colour, name, made("span"));
    return item;
  }));
  follow();
}

function showTags(scores, count) {
  at("tags").replaceChildren(...scores.slice(0, count).map(({ tag, score }) => {
    const item = made("li");
    const bar = made("i");
    bar.style.width = `${100 * score}%`;
    const place = made("div");
    place.append(bar);
    item.append(made("b", tag), place, made("span", score.toFixed(2)));
    return item;
  }));
  at("more").hidden = scores.length <= count;
  at("more").textContent = `Show all ${scores.length.toLocaleString("en")} tags`;
  at("more").onclick = () => showTags(scores, scores.length);
}

async function search(song, mine) {
  at("tracks").replaceChildren();
  say("searching", "Searching …");
  try {
    const found = await answered(`/songs/${song.number}/similar`, { signal: searching.signal });
    if (mine !== asked) return;
    const missing = found.missing_source;
    say("searching", missing ? `The tagged dataset ${missing} is not there: tracks removed from it since may be among these.` : "", Boolean(missing));
    at("tracks").replaceChildren(...found.rows.map((row) => trackOf(song, row)));
  } catch (error) {
    if (mine === asked) say("searching", error.message, true);
  }
}

function trackOf(song, row) {
  const item = made("li");
  const words = made("div");
  const name = made("p", row.group === null ? row.track_id : `${row.track_id} · ${row.group}`);
  const tags = Object.entries(row.tags).map(([tag, score]) => `${tag} ${score.toFixed(2)}`).join(", ");
  words.append(name, made("p", `similarity ${row.similarity.toFixed(3)} · ${tags}`, "quiet"));
  const sound = made("div", undefined, "sound");
  if (row.plays) {
    const audio = made("audio");
    audio.controls = true;
    audio.preload = "none";
    audio.src = `/songs/${song.number}/similar/${row.rank}/audio`;
    sound.append(audio);
  } else {
    sound.append(made("p", row.uri === null ? "its audio is unknown" : `not played: ${row.uri}`, "quiet"));
  }
  item.append(made("span", String(row.rank), "rank"), words, sound);
  return item;
}

// The line over both pictures, and the scores of the moment that is heard.
function follow() {
  if (!shown) return;
  const moment = Math.min(player.currentTime || 0, shown.seconds);
  const plot = at("timeline");
  at("head").style.left = `${plot.offsetLeft + (plot.clientWidth * moment) / shown.seconds}px`;
  let step = shown.edges.findIndex((edge) => edge > moment) - 1;
  if (step < 0) step = shown.edges.length - 2;
  at("legend").querySelectorAll("span").forEach((place, number) => {
    place.textContent = shown.lines[number].scores[step].toFixed(2);
  });
}

function everyFrame() {
  follow();
  if (!player.paused && !player.ended) requestAnimationFrame(everyFrame);
}

for (const plot of [at("logmel"), at("timeline")]) {
  plot.addEventListener("click", (event) => {
    const box = plot.getBoundingClientRect();
    player.currentTime = (shown.seconds * (event.clientX - box.left)) / box.width;
  });
}
player.addEventListener("play", everyFrame);
player.addEventListener("seeked", follow);
player.addEventListener("timeupdate", follow);
// One sound at a time; events of players do not bubble, so they are caught on their way down.
document.addEventListener("play", (event) => {
  for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
}, true);
window.addEventListener("resize", () => {
  if (shown) showTimes(shown.seconds);
  follow();
});

at("file").addEventListener("change", () => {
  if (at("file").files.length) hear(at("file").files[0]);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) at("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  if (event.dataTransfer.files.length) hear(event.dataTransfer.files[0]);
});
