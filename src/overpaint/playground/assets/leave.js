// Whoever is known no more, by a key revoked or a sign-out in another tab, is led to the sign-in page by the first refusal.

export function leaveWhenRefused(language) {
  const ask = window.fetch.bind(window);
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    if (answer.status === 401) location.assign(`/page/sign-in?language=${language}`);
    return answer;
  };
}
