import{d as a,e as b}from"./chunk-BBWPPO32.js";import"./chunk-S65OSEMI.js";import"./chunk-NXJYK3RY.js";export{b as picture,a as zoomTools};
