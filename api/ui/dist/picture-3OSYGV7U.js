import{d as a,e as b}from"./chunk-6FMTU4LW.js";import"./chunk-3ZCI2DGV.js";import"./chunk-NXJYK3RY.js";export{b as picture,a as zoomTools};
