// A picture file to the server; what it says when it cannot take one is passed on as it is.

export async function upload(file, name = file.name) {
  const form = new FormData();
  form.append("file", file, name || "picture");
  const response = await fetch("/page/pictures", { method: "POST", body: form });
  const answer = await response.json().catch(() => ({ message: response.statusText }));
  if (!response.ok) throw new Error(answer.message);
  return answer;
}
