/** The config program that most need: it knows the native dialect and stays small. */
import { serve } from "./program.ts";

serve({ dialects: {} });
