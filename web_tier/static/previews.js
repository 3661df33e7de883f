// Small pictures of what is on show: of the files on this page, and of those that this browser has sent before.
import { keepPicture, keptPicture } from "./pictures.js";

const SIDE = 192; // pixels; shown at up to 92, on dense screens too
const AT_ONCE = 2;

const waiting = new Set();
let running = 0;

export function wantPreview(item, made) {
  keep(item);
  if (item.preview !== null) return;
  item.preview = "";
  waiting.add({ item, made });
  next();
}

// A picture can be kept once the server has given the image its id.
function keep(item) {
  if (!item.picture || !item.id) return;
  keepPicture(item.id, item.image.batch, item.picture);
  item.picture = null;
}

function next() {
  for (const one of waiting) {
    if (running >= AT_ONCE) return;
    waiting.delete(one);
    running += 1;
    show(one).finally(() => {
      running -= 1;
      next();
    });
  }
}

async function show({ item, made }) {
  const picture = item.file ? await drawn(item.file).catch(() => null) : await keptPicture(item.id);
  // None of what the browser cannot show; the server may know it all the same.
  if (!picture) return;
  if (item.file) item.picture = picture;
  item.preview = URL.createObjectURL(picture);
  item.version += 1;
  made();
}

async function drawn(file) {
  const whole = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.min(whole.width, whole.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(whole.width * scale));
  canvas.height = Math.max(1, Math.round(whole.height * scale));
  canvas.getContext("2d").drawImage(whole, 0, 0, canvas.width, canvas.height);
  whole.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/webp", 0.8));
}
