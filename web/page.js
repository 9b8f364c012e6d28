// The page: what moves, what it moves like, and the animation.

import { loadModel } from "./model.js";

const SAMPLES = 3;
const $ = (id) => document.getElementById(id);
const [picture, video, animation, status] = ["picture", "video", "animation", "status"].map($);
const context = animation.getContext("2d");

let model;
let encoded = null; // a promise of what the model knows of the picture; null: it is a new one
let initial = null; // the pose that counts as the picture's own; null: that of the next frame
let running = false;
let recorder = null;

// Writes on the canvas itself, so that the words are in what people record or copy.
function label() {
  const size = animation.height / 18;
  context.font = `${size}px system-ui, sans-serif`;
  const width = context.measureText("generated").width;
  context.fillStyle = "black";
  context.fillRect(0, animation.height - 1.6 * size, width + size, 1.6 * size);
  context.fillStyle = "white";
  context.fillText("generated", size / 2, animation.height - size / 2);
}

async function animateFrame() {
  encoded ??= model.encode(picture);
  const source = await encoded;
  const driving = await model.detect("driving", model.tensor(video));
  initial ??= rename(driving);
  const painted = await model.paint(source, initial, driving);
  context.drawImage(painted, 0, 0, animation.width, animation.height);
  label();
}

function rename(driving) {
  return Object.fromEntries(
    Object.entries(driving).map(([name, value]) => [name.replace("driving", "initial"), value]),
  );
}

async function run() {
  let shown = 0;
  let since = performance.now();
  while (running) {
    await animateFrame();
    shown += 1;
    const seconds = (performance.now() - since) / 1000;
    if (seconds > 1) {
      say(`${(shown / seconds).toFixed(1)} pictures a second, on the ${model.device}`);
      [shown, since] = [0, performance.now()];
    }
    await new Promise(requestAnimationFrame);
  }
}

async function start() {
  running = true;
  $("start").textContent = "Stop";
  for (const id of ["neutral", "save"]) $(id).disabled = false;
  try {
    await video.play();
    await run();
  } catch (error) {
    say(`That did not work: ${error.message}`);
  }
  stop();
}

function stop() {
  running = false;
  video.pause();
  recorder?.stop();
  $("start").textContent = "Start";
  for (const id of ["neutral", "save"]) $(id).disabled = true;
}

function say(text) {
  status.textContent = text;
}

function choosePicture(url) {
  picture.src = url;
  picture.decode().then(() => { encoded = initial = null; }, () => say("This file is no picture."));
}

function chooseVideo(source) {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  const isFile = typeof source === "string";
  video.srcObject = isFile ? null : source;
  if (isFile) video.src = source;
  video.onloadeddata = () => {
    initial = null;
    if (running) video.play();
  };
}

async function useCamera() {
  try {
    chooseVideo(await navigator.mediaDevices.getUserMedia({ video: true }));
    await video.play();
  } catch {
    say("The browser gives no camera. Allow it in the address bar, or choose a video.");
  }
}

function record() {
  if (recorder) return recorder.stop();
  const parts = [];
  recorder = new MediaRecorder(animation.captureStream());
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    recorder = null;
    $("save").textContent = "Record";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(parts, { type: "video/webm" }));
    link.download = "generated.webm";
    link.click();
  };
  recorder.start();
  $("save").textContent = "Save recording";
}

function offerSamples() {
  for (let number = 1; number <= SAMPLES; number += 1) {
    const head = document.createElement("button");
    head.innerHTML = `<img src="samples/head_${number}.png" alt="Head ${number}">`;
    head.onclick = () => choosePicture(`samples/head_${number}.png`);
    $("heads").append(head);
    const motion = document.createElement("button");
    motion.textContent = `Video ${number}`;
    motion.onclick = () => chooseVideo(`samples/motion_${number}.mp4`);
    $("motions").append(motion);
  }
}

offerSamples();
const fileOf = (event) => URL.createObjectURL(event.target.files[0]);
$("picture-file").onchange = (event) => choosePicture(fileOf(event));
$("video-file").onchange = (event) => chooseVideo(fileOf(event));
video.onerror = () => say("The browser cannot play this video.");
$("camera").onclick = useCamera;
$("neutral").onclick = () => { initial = null; };
$("save").onclick = record;
$("start").onclick = () => (running ? (running = false) : start());

try {
  model = await loadModel();
  say(`Ready. The model runs on the ${model.device}.`);
  $("start").disabled = false;
} catch (error) {
  say(`The model could not be loaded: ${error.message}`);
}
