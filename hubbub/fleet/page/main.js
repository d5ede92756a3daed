// The page of a fleet: live from its server, or the replay that lies in the page itself.

import { find } from "./dom.js";
import { live } from "./live.js";
import { replay } from "./replay.js";

const recorded = find("recorded");
if (recorded) replay(recorded.textContent);
else live();
