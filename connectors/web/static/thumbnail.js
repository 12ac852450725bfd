// Small pictures of files that are not sent yet. Whatever the file holds, what is kept is small, and a picture that would
// have the browser stand still is not decoded.

/** Pixels on the longer side of a thumbnail. */
const LONGEST = 640;
/** Of a picture that is decoded; the desk shows no larger ones either. */
const MOST_PIXELS = 64_000_000;
/** What every browser shows, and the desk as well. */
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** The width and height of a picture. Browsers read them without decoding the rest. */
function sizeOf(address) {
  return new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => resolve([picture.naturalWidth, picture.naturalHeight]);
    picture.onerror = reject;
    picture.src = address;
  });
}

/** A canvas with the picture, upright as its camera was held; null where there is none to be shown. */
export async function thumbnailOf(file, alt) {
  if (!PICTURES.includes(file.type)) return null; // what it calls itself; what it is, the desk finds out
  const address = URL.createObjectURL(file);
  try {
    const [width, height] = await sizeOf(address);
    if (!width || !height || width * height > MOST_PIXELS) return null;
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    // Decoded beside the page, and only its small form comes here.
    const bitmap = await createImageBitmap(file, { resizeWidth: canvas.width, resizeHeight: canvas.height, resizeQuality: "medium" });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", alt);
    return canvas;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(address);
  }
}
