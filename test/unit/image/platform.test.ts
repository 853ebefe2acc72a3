/** What --platform names. */
import { deepEqual, equal, test, throws } from "../../support/unit.ts";
import { checkPlatform, chooseNamed, nameOf, parsePlatform, type Platform } from "../../../src/image/platform.ts";

test("a platform is named as docker names it", () => {
  deepEqual(parsePlatform("linux/arm64/v8"), { os: "linux", architecture: "arm64", variant: "v8" });
  deepEqual(parsePlatform("arm64"), { os: "linux", architecture: "arm64", variant: "" });
  for (const text of ["linux/", "linux", "", "/", "linux/amd64/v2/x"])
    throws(() => parsePlatform(text), "--platform must be");
  const entries = ["v6", "v7"].map((variant) => ({ platform: { os: "linux", architecture: "arm", variant } }));
  equal(chooseNamed(entries, parsePlatform("linux/arm/v7")).platform.variant, "v7");
  equal(chooseNamed(entries, parsePlatform("linux/arm")).platform.variant, "v6");
  throws(() => chooseNamed(entries, parsePlatform("linux/arm64")), "it is for linux/arm/v6, linux/arm/v7");
});

test("a platform may have the names that uname and Debian have for it, in letters of either case", () => {
  const names = ["x86_64", "Linux/AMD64", "linux/x86-64", "aarch64", "linux/i386", "armhf", "linux/armel"];
  deepEqual(
    names.map((name) => nameOf(parsePlatform(name))),
    ["linux/amd64", "linux/amd64", "linux/amd64", "linux/arm64", "linux/386", "linux/arm/v7", "linux/arm/v6"],
  );
});

function image(architecture: string, variant: string): Platform {
  return { os: "linux", architecture, variant };
}

test("the first variant of an architecture is the one that is not named", () => {
  checkPlatform(image("arm64", ""), parsePlatform("linux/arm64/v8"));
  checkPlatform(image("arm64", "v8"), parsePlatform("arm64"));
  checkPlatform(image("amd64", ""), parsePlatform("linux/amd64/v1"));
  throws(
    () => checkPlatform(image("amd64", ""), parsePlatform("linux/amd64/v2")),
    "is for linux/amd64, and --platform asks for linux/amd64/v2",
  );
  throws(() => checkPlatform(image("arm", "v6"), parsePlatform("linux/arm/v7")), "is for linux/arm/v6");
  const entries = ["v9", ""].map((variant) => ({ platform: image("arm64", variant) }));
  equal(chooseNamed(entries, parsePlatform("linux/arm64/v8")).platform.variant, "");
});
