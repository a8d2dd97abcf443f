// All that the package offers, checked by TypeScript: `npx tsc --noEmit`.

import { CarillonClient, CarillonError, configure, type Item, type Preferences } from "@carillon/bell";
import { backoff, share } from "@carillon/bell/client";

configure({ tokenUrl: "/my/token", texts: { fr: { title: "Notifications", empty: "Rien de nouveau" } } });

const client = new CarillonClient({
  server: "https://bell.shop.example",
  getToken: async () => ({ token: await (await fetch("/my/token")).text() }),
});
const stop = client.on("new", (item: Item) => console.log(item.title, item.action?.url));
client.on("count", (unread) => console.log(unread + 1));
client.on("state", (state) => state === "refused" && location.assign("/login"));
client.connect();

const list = client.live({ read: false, category: "marketing" }, 50);
list.on("change", ({ items, hasMore }) => console.log(items.length, hasMore));
await list.more();

const { items, cursor } = await client.list({ archived: true, limit: 5 });
if (cursor) await client.list({ cursor });
for (const { id } of items) await client.markRead(id);
await client.markAllRead();

const preferences: Preferences = await client.preferences();
await client.setPreference({ channel: "email", category: "marketing", enabled: !preferences.channels.email });
await client.updatePreferences({ quiet_hours: { enabled: true, start: "22:00", end: "07:00", days: ["sat", "sun"] } });
await client.updatePreferences({ do_not_disturb_until: null, categories: { marketing: { sms: null } } });
try {
  await client.delete("gone");
} catch (error) {
  if (error instanceof CarillonError && error.status === 404) console.log(error.code);
}

const bell = document.querySelector("carillon-bell");
bell?.addEventListener("carillon-click", (event) => event.detail.id && event.preventDefault());
bell?.open();
document.createElement("carillon-feed").texts = { marketing: "Offers" };

// @ts-expect-error a channel is needed
void client.setPreference({ enabled: true });

stop();
const { release } = share({ tokenUrl: "/my/token" });
setTimeout(release, backoff(3));
