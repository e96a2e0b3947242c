// A picture with its faces, and the list of them.

import { icon, make } from "./elements.js";
import { ZONES, faceName, scoreText, zoneOf } from "./format.js";
import { frameOf } from "./frame.js";

export function pictureView({ answer, media }) {
  const faces = (answer.faces ?? []).map((face, index) => ({
    ...face,
    name: faceName(face.track ?? null, index),
    zone: zoneOf(face.score, answer.thresholds),
  }));
  const shown = media.width
    ? make("img", { src: media.url, alt: `The picture that was checked: ${media.file.name}`, width: media.width, height: media.height })
    : null;
  const frame = shown ? frameOf(shown, media) : null;
  const mark = (active) => frame?.show(faces.map((face, index) => ({ ...face, label: face.name, active: index === active })));
  mark(-1);
  return make("section", { class: "card view", "aria-labelledby": "view-title" },
    make("h2", { id: "view-title" }, faces.length ? `Faces (${faces.length})` : "The picture"),
    frame ? frame.node : make("p", { class: "soft" }, "This browser cannot show this kind of picture. What was found in it is below."),
    faces.length > 0 && faceList(faces, answer.thresholds, mark),
  );
}

function faceList(faces, thresholds, mark) {
  const order = faces.map((face, index) => ({ face, index })).sort((a, b) => (b.face.logit ?? 0) - (a.face.logit ?? 0));
  return make("ul", { class: "faces" }, order.map(({ face, index }) => {
    const row = make("button", { type: "button", class: `face zone-${face.zone}` },
      icon(face.zone),
      make("span", { class: "grow" }, make("strong", {}, face.name), make("span", { class: "soft" }, ` ${ZONES[face.zone]}${face.box ? "" : ", the whole picture"}`)),
      make("span", { class: "number" }, scoreText(face.score, thresholds)));
    for (const event of ["focus", "pointerenter", "click"]) row.addEventListener(event, () => mark(index));
    for (const event of ["blur", "pointerleave"]) row.addEventListener(event, () => mark(-1));
    return make("li", {}, row);
  }));
}
