// Small pictures of the files on this page: made one after the other, and only of what is on show.
const SIDE = 192; // pixels; shown at up to 96, on dense screens too
const AT_ONCE = 2;

const waiting = new Set();
let running = 0;

export function wantPreview(item, made) {
  if (!item.file || item.preview !== null) return;
  waiting.add({ item, made });
  next();
}

function next() {
  for (const one of waiting) {
    if (running >= AT_ONCE) return;
    waiting.delete(one);
    if (one.item.preview !== null) continue;
    running += 1;
    picture(one.item.file)
      .then((blob) => URL.createObjectURL(blob), () => "")
      .then((address) => {
        one.item.preview = address;
        one.item.version += 1;
        one.made();
      })
      .finally(() => {
        running -= 1;
        next();
      });
  }
}

// Fails for what the browser cannot show; the server may know it all the same.
async function picture(file) {
  const whole = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.min(whole.width, whole.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(whole.width * scale));
  canvas.height = Math.max(1, Math.round(whole.height * scale));
  canvas.getContext("2d").drawImage(whole, 0, 0, canvas.width, canvas.height);
  whole.close();
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/webp", 0.8);
  });
}
