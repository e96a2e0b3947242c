// Boxes over a picture or a video, in percentages of it.

import { make, place } from "./elements.js";
import { placeBox } from "./geometry.js";

/**
 * Put a layer for boxes over a picture or video.
 * @returns node, and show(boxes): boxes are {box, label, zone, active}; each is cut at the edges.
 */
export function frameOf(picture, { width, height }) {
  const layer = make("div", { class: "boxes", "aria-hidden": "true" });
  const show = (boxes) => {
    layer.replaceChildren(...boxes.flatMap(({ box, label, zone, active }) => {
      const at = placeBox(box, width, height);
      if (!at) return [];
      const kind = `box zone-${zone}${active ? " active" : ""}${at.top < 6 ? " low" : ""}`;
      const node = make("div", { class: kind }, make("span", {}, label));
      const styles = Object.entries(at).map(([name, value]) => [name, `${value}%`]);
      return [place(node, Object.fromEntries(styles))];
    }));
  };
  return { node: make("div", { class: "frame" }, picture, layer), show };
}
