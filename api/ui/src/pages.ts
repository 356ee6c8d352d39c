// What the pages do beyond plain forms. Each part looks for its place on the
// page and leaves alone what is not there.
import { idle } from "./idle";
import { link } from "./link";
import { send } from "./send";
import { viewer } from "./viewer";
import { copy, focusProblem } from "./small";

focusProblem();
idle();
copy();
viewer();
send();
link();
