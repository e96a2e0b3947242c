// What a file is, as far as this browser can tell: nothing leaves the page here.

const IMAGES = /\.(jpe?g|png|webp|bmp|tiff?)$/i;
const VIDEOS = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g)$/i;

/**
 * Look at a file.
 * @returns kind ("image", "video" or "other"), url for showing it, and width, height and seconds
 *   where the browser can open it, else null.
 */
export async function look(file) {
  const kind = kindOf(file);
  const url = URL.createObjectURL(file);
  const size = kind === "image" ? await imageSize(url) : kind === "video" ? await videoSize(url) : {};
  return { file, kind, url, width: null, height: null, seconds: null, ...size };
}

export function kindOf(file) {
  if (file.type.startsWith("image/") || IMAGES.test(file.name)) return "image";
  return file.type.startsWith("video/") || VIDEOS.test(file.name) ? "video" : "other";
}

function imageSize(url) {
  return new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => resolve({});
    image.src = url;
  });
}

function videoSize(url) {
  return new Promise((resolve) => {
    const video = document.createElement("video");
    const give = (found) => {
      clearTimeout(timer);
      video.removeAttribute("src");
      video.load();
      resolve(found);
    };
    const timer = setTimeout(() => give({}), 4000); // some files are opened and never end
    video.preload = "metadata";
    video.onloadedmetadata = () => {
      const { videoWidth, videoHeight, duration } = video;
      if (!videoWidth) give({});
      else give({ width: videoWidth, height: videoHeight, seconds: Number.isFinite(duration) ? duration : null });
    };
    video.onerror = () => give({});
    video.src = url;
  });
}

/** SHA-256 of a file in hexadecimal; null where the browser has no crypto (plain HTTP) or it is huge. */
export async function fingerprint(file, most = 256e6) {
  if (!globalThis.crypto?.subtle || file.size > most) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
