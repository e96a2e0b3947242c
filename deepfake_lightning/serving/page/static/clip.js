// A clip: the video with the boxes of its scored frames, and the timeline below.

import { make } from "./elements.js";
import { faceName } from "./format.js";
import { frameOf } from "./frame.js";
import { lanesOf, lengthOf } from "./geometry.js";
import { timeline } from "./timeline.js";

const NEAR_MS = 120; // boxes belong to one frame: further off they are not shown

export function clipView({ answer, media }) {
  const lanes = lanesOf(answer).map((lane, index) => ({ ...lane, name: faceName(lane.track, index) }));
  const video = media.width
    ? make("video", { src: media.url, controls: true, muted: true, playsinline: true, preload: "auto", width: media.width, height: media.height, "aria-label": `The clip that was checked: ${media.file.name}` })
    : null;
  const frame = video ? frameOf(video, media) : null;
  const length = lengthOf(answer, lanes);
  const time = timeline({ answer, lanes, length, onseek: (ms) => seek(video, ms) });
  if (video) follow(video, frame, lanes, time);
  return make("section", { class: "card view", "aria-labelledby": "view-title" },
    make("h2", { id: "view-title" }, "The clip"),
    frame ? frame.node : make("p", { class: "soft" }, "This browser cannot play this kind of video. The timeline still says what was found where."),
    lanes.length > 0 && time.node,
  );
}

function seek(video, ms) {
  if (!video) return;
  video.pause();
  video.currentTime = ms / 1000 + 0.002; // just inside the frame: its edge may show the one before
}

function follow(video, frame, lanes, time) {
  const show = () => {
    const ms = video.currentTime * 1000;
    time.at(ms);
    frame.show(lanes.flatMap(({ name, marks }) => {
      const near = marks.filter((mark) => Math.abs(mark.ms - ms) <= NEAR_MS);
      near.sort((a, b) => Math.abs(a.ms - ms) - Math.abs(b.ms - ms));
      return near.slice(0, 1).map((mark) => ({ ...mark, label: name, active: true }));
    }));
  };
  const step = () => {
    show();
    if (!video.paused && video.isConnected) requestAnimationFrame(step);
  };
  video.addEventListener("play", step);
  for (const event of ["seeked", "loadeddata", "pause"]) video.addEventListener(event, show);
}
