// Files that come in: dropped anywhere, chosen, or pasted.

import { byId } from "./elements.js";

export function takeFiles(onfiles) {
  const field = byId("file");
  const over = byId("over");
  const give = (files) => files.length > 0 && onfiles([...files]);

  field.addEventListener("change", () => {
    give(field.files);
    field.value = ""; // so that the same file can be chosen again
  });
  addEventListener("paste", (event) => {
    if (event.target.matches?.("input:not([type=file]), textarea")) return;
    give(event.clipboardData?.files ?? []);
  });

  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => { if (carriesFiles(event)) over.hidden = false; });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) over.hidden = true; });
  addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    over.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    give(event.dataTransfer.files);
  });
}
